"""Daily, at the institution's local hour: the digest of the day that has just ended.

Also that of the week or the month that ended with it, where `digest_editions` asks for it.
"""

from datetime import UTC, datetime, timedelta

import pendulum
from airflow.sdk import CronDataIntervalTimetable, dag, task

from dags.institution import DEFAULTS, clock, house, steps, window

ZONE, HOUR = clock()


@dag(
    schedule=CronDataIntervalTimetable(f"0 {HOUR} * * *", timezone=ZONE),
    start_date=pendulum.datetime(2024, 1, 1, tz=ZONE),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    doc_md=__doc__,
)
def digest():
    @task(pool="warehouse")
    def make():
        until = window()[1]
        day = until.astimezone(house().settings.institution.zone).date() - timedelta(days=1)
        made = [
            steps().digest(house(), day=day, as_of=until, edition=edition)
            for edition in steps().editions_due(house(), day)
        ]
        return [str(page) for page in made if page]

    @task  # outside the pool: a slow mail server holds nobody up
    def deliver():
        return steps().deliver(house(), now=datetime.now(UTC))

    make() >> deliver()


digest()
