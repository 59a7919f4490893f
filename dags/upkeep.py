"""Daily, in the small hours: expire, publish the analysts' file, build the data docs.

Also draws messages for people to label, where `[labels]` asks for some.
"""

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

from dags.institution import DEFAULTS, clock, house, steps, window

ZONE, _ = clock()


@dag(
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone=ZONE),
    start_date=pendulum.datetime(2024, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def upkeep():
    @task(pool="warehouse")
    def expire():
        return steps().expire(house(), as_of=window()[1])

    @task(pool="warehouse")
    def publish():
        return str(steps().published(house(), as_of=window()[1]))

    @task
    def docs():
        return str(steps().docs(house(), as_of=window()[1]))

    @task(pool="warehouse")
    def draw():
        return steps().drawn(house(), as_of=window()[1])

    expire() >> publish() >> [docs(), draw()]


upkeep()
