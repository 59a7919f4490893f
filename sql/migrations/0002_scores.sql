-- Purpose: what a score says beside tone and topics: acts, risk, irony, services, sub-topics.
-- Rows scored before keep nulls there: they are not known, which is not the same as none.
alter table score add column subtopics varchar[];
alter table score add column acts varchar[];
alter table score add column act_p float[];
alter table score add column risk varchar;
alter table score add column p_irony float;
alter table score add column p_political float;
alter table score add column aspects varchar[];
