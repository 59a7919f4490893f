-- Purpose: note that a link was used; nothing when it was before.
-- Grain: one row per link_id. Writes: link_use. Run by: pipelines/link_pages.py.
merge into link_use
using (select 1 as one) as fresh
    on link_use.link_id = $link_id
when not matched then insert (
    link_id, incident_id, action, actor, used_at
) values (
    $link_id, $incident_id, $action, $actor, $used_at
);
