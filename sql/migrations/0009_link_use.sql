-- Purpose: which links of alert mails have been used, so that one that is opened again says so.

-- One row per link that a person has pressed the button of. `link_id` follows from the link's own
-- signature, and opens nothing.
create table link_use (
    link_id varchar not null,
    incident_id varchar not null,
    action varchar not null,
    actor varchar not null,
    used_at timestamptz not null
);
