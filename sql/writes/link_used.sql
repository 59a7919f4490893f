-- Purpose: when a link was used.
-- Grain: one row, or none while it was not. Reads: link_use. Read by: pipelines/link_pages.py.
select link_use.used_at
from link_use
where link_use.link_id = $link_id;
