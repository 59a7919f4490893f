"""Every quarter of an hour: posts are looked up again, for their counts, edits and deletions."""

import pendulum
from airflow.sdk import CronDataIntervalTimetable, TriggerRule, dag, task

from dags.institution import DEFAULTS, house, steps, window


@dag(
    schedule=CronDataIntervalTimetable("7-59/15 * * * *", timezone="UTC"),  # between two watches
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def refresh():
    @task(pool="warehouse")
    def plan():
        return steps().plan_refresh(house(), as_of=window()[1])

    @task(map_index_template="{{ task.op_kwargs['name'] }}", max_active_tis_per_dag=1)
    def recheck(name):
        return steps().recheck(house(), steps().refresh_run(window()[1]), name)

    # Runs when some source failed, and not where there is nothing to look up.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def accept():
        return steps().accept(house(), steps().refresh_run(window()[1]))

    @task
    def score():
        return steps().score(house(), steps().refresh_run(window()[1]))

    @task(pool="warehouse")
    def load():
        return steps().load(house(), steps().refresh_run(window()[1]))

    recheck.expand(name=plan()) >> accept() >> score() >> load()


refresh()
