"""By hand: read a span of the past again, or the open gaps of the last week, and mark them filled.

No alert is made of the past, and no cursor moves. Leave both ends empty for the open gaps. One
source is read at a time: polite waits must leave workers to the DAG `live`.
"""

from datetime import UTC, datetime

from airflow.sdk import Param, TriggerRule, dag, task

from dags.institution import DEFAULTS, house, steps


@dag(
    schedule=None,
    default_args=DEFAULTS,
    doc_md=__doc__,
    params={
        "since": Param("", type="string", title="From, for example 2026-11-20T12:00 (UTC)"),
        "until": Param("", type="string", title="To"),
        "source": Param("", type="string", title="One source of vigie.toml, or all"),
    },
)
def backfill():
    @task.short_circuit(pool="warehouse")  # nothing missing: nothing to do
    def plan(params=None):
        ends = [params[end] and datetime.fromisoformat(params[end]) for end in ("since", "until")]
        since, until = (end.replace(tzinfo=end.tzinfo or UTC) if end else None for end in ends)
        names = [params["source"]] if params["source"] else []
        return steps().plan_backfill(
            house(), as_of=datetime.now(UTC), since=since, until=until, names=names
        )

    @task
    def sources(run):
        return [[run, name] for name in steps().planned(house(), run)]

    @task(map_index_template="{{ task.op_kwargs['order'][1] }}", max_active_tis_per_dag=1)
    def collect(order):
        return steps().collect(house(), *order)

    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def accept(run):
        return steps().accept(house(), run)

    @task
    def score(run):
        return steps().score(house(), run)

    @task(pool="warehouse")
    def load(run):
        return steps().load(house(), run)

    run = plan()
    collect.expand(order=sources(run)) >> (accepted := accept(run))
    accepted >> score(run) >> load(run)


backfill()
