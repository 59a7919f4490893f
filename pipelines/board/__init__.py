"""The board: the web pages of one institution, for director, analyst, moderator and DPO.

FastAPI and pages made here, without a script: they work with a keyboard, a screen reader, a phone.
`access.PAGES` says who may open and do what; `web.build` puts the pages together; every page is a
plain function from a `Visit` to an answer. What is searched is the published, read-only file, so
that no page of it waits for the writer; alerts and coverage are read from the warehouse, and wait
`visit.WAIT_SECONDS` for a run at most. Accounts, sessions, failed log-ins and the access log lie in
`board.sqlite` of the home, since DuckDB admits one writer and a log-in may not wait for it.
"""
