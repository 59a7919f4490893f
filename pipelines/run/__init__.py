"""The steps of a run in their order: what the DAGs and the command line both call.

A run is one window of time. Its steps hand over paths under `staging/<run id>`, never tables,
so each can be killed at any instant and run again, on any worker that sees the home:

    plan      which sources are due, from which cursor         plan.json
    collect   one source: payloads as received                 landed/<source name>.json
    accept    payloads to mentions, kept or quarantined        mentions, replaced, deletions,
              (measures that are no mention are put aside)     rejections, attention
    score     mentions to scores, without authors              scores.parquet
    load      one transaction: rows, counts, cursors
    alert     rules at a moment, incidents, mails

Two kinds of runs begin otherwise and then go the same way. What readers have landed is taken up
by `take` instead of `plan` and `collect` (`staging/live-…`); posts that the warehouse holds are
looked up again by `plan_refresh` and `recheck` (`staging/refresh-…`).

The modules of this package put the stages together, so they alone may import them all. Stages that
take seconds to import (pandas, charts, statistics) are imported where they are used: each step is a
process of its own in Airflow, and a live mention should not wait for the libraries of the digest.
"""

from pipelines.house import House as House, house as house
from pipelines.run.accepting import accept as accept
from pipelines.run.again import (
    export as export,
    landed as landed,
    load_again as load_again,
    reread as reread,
    rerun_queries as rerun_queries,
    rerun_size as rerun_size,
    score_again as score_again,
)
from pipelines.run.merging import load as load, watched as watched
from pipelines.run.names import (
    backfill_run as backfill_run,
    live_run as live_run,
    planned as planned,
    refresh_run as refresh_run,
    run_id as run_id,
    staging as staging,
)
from pipelines.run.readers import take as take
from pipelines.run.reading import (
    budgets as budgets,
    collect as collect,
    is_priced as is_priced,
    plan as plan,
    plan_backfill as plan_backfill,
    plan_refresh as plan_refresh,
    recheck as recheck,
)
from pipelines.run.scoring import score as score
from pipelines.run.telling import (
    alert as alert,
    alert_and_report as alert_and_report,
    crisis_report as crisis_report,
    crisis_reports as crisis_reports,
    deliver as deliver,
    digest as digest,
    editions_due as editions_due,
    is_overtaken as is_overtaken,
    report_failure as report_failure,
)
from pipelines.run.upkeep import (
    docs as docs,
    drawn as drawn,
    expire as expire,
    published as published,
)
from pipelines.run.whole import (
    backfill as backfill,
    failed as failed,
    live as live,
    refresh as refresh,
    watch as watch,
)
