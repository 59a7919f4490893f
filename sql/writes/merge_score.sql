-- Purpose: what the models said of the mentions, as they stand now.
-- Grain: one row per mention. Reads: changed_score. Writes: score, touched_moment.
-- (noqa: the linter does not know `by name`, which keeps a column added later in its place.)
insert into touched_moment
select changed_score.published_at from changed_score;

merge into score  -- noqa: PRS
using changed_score
    on
        score.published_at = changed_score.published_at
        and score.mention_id = changed_score.mention_id
when matched then update by name
when not matched then insert by name;
