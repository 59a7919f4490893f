"""By hand: score a date range again with the models of today, and load the new scores."""

from datetime import UTC, datetime

from airflow.sdk import Param, dag, task

from dags.institution import DEFAULTS, house, steps


@dag(
    schedule=None,
    default_args=DEFAULTS,
    doc_md=__doc__,
    params={
        "since": Param("2026-01-01", type="string", format="date", title="First day"),
        "until": Param("2026-01-02", type="string", format="date", title="Day after the last"),
    },
)
def rescore():
    @task(pool="warehouse")
    def export(params=None):
        since, until = (datetime.fromisoformat(params[end]) for end in ("since", "until"))
        return steps().export(house(), since=since, until=until, as_of=datetime.now(UTC))

    @task
    def score(run):
        return steps().score_again(house(), run)

    @task(pool="warehouse")
    def load(run):
        return steps().load_again(house(), run)

    run = export()
    score(run) >> load(run)


rescore()
