"""Whenever a reader has landed something: accept, score, load, within a minute or two.

A trigger of Airflow watches what `vigie listen` lands, so that no run looks in vain; without a
triggerer, and for the coverage of a reader that is silent, a run comes every five minutes. Rules
are evaluated by `watch`.
"""

import pendulum
from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable, dag, task

from dags.institution import DEFAULTS, home, house, is_live, live_window, steps
from dags.landed import landed

EVERY_FIVE_MINUTES = CronTriggerTimetable("*/5 * * * *", timezone="UTC")


@dag(
    schedule=AssetOrTimeSchedule(timetable=EVERY_FIVE_MINUTES, assets=[landed(home())])
    if is_live()
    else None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"priority_weight": 10},  # before the others in the pool of one slot
    doc_md=__doc__,
)
def live():
    @task.short_circuit(pool="warehouse")
    def take():
        now, run = live_window()
        return steps().take(house(), run, now=now)

    @task
    def accept():
        return steps().accept(house(), live_window()[1])

    @task
    def score():
        return steps().score(house(), live_window()[1])

    @task(pool="warehouse", outlets=[Asset("vigie://mentions")])
    def load():
        return steps().load(house(), live_window()[1])

    take() >> accept() >> score() >> load()


live()
