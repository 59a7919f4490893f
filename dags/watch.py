"""Every five minutes: collect each source that is due, accept, score, load, alert.

One mapped task a source, so that one that fails never stops the others; what it missed stands in
the coverage. Three collect at a time: polite waits must leave workers to the DAG `live`. Steps that
open the warehouse share a pool of one slot.
"""

from datetime import UTC, datetime

import pendulum
from airflow.sdk import Asset, CronDataIntervalTimetable, TriggerRule, dag, task

from dags.institution import DEFAULTS, house, steps, window


@dag(
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,  # the cursor of each source, not the schedule, says what is still to be read
    max_active_runs=1,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def watch():
    @task(pool="warehouse")
    def plan():
        return steps().plan(house(), since=window()[0], until=window()[1])

    @task(map_index_template="{{ task.op_kwargs['name'] }}", max_active_tis_per_dag=3)
    def collect(name):
        return steps().collect(house(), window()[2], name)

    # Runs when some source failed, not when the plan did.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def accept():
        return steps().accept(house(), window()[2])

    @task
    def score():
        return steps().score(house(), window()[2])

    @task(pool="warehouse", outlets=[Asset("vigie://mentions")])
    def load():
        return steps().load(house(), window()[2])

    @task(pool="warehouse", trigger_rule=TriggerRule.NONE_FAILED)  # also where no source is due
    def alert():
        return steps().alert_and_report(house(), as_of=window()[1])

    @task  # outside the pool: a slow mail server must hold nobody up
    def deliver():
        return steps().deliver(house(), now=datetime.now(UTC))

    planned = plan()
    [planned, collect.expand(name=planned)] >> (accepted := accept())
    accepted >> score() >> load() >> alert() >> deliver()


watch()
