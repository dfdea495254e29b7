"""What several kinds of line share: what a logger prints before a message, and which processes are the application's own."""

LOGGER_PREFIX = (
    r"^(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ \S+\[\d+\]: )?"  # Hodel's logger, which writes syslog lines
    r"(?:App \d+ std(?:out|err): )?"  # Passenger
    r"(?:[A-Z], \[[^\]]*\] +)?(?:[A-Z]+ -- [^:\[]{0,40}: )?"  # Ruby's Logger
    r"(?:\[[^\]]*\] ?)*"  # tags of Rails, the request's id among them
)
"""A regular expression (RE2) that begins at the start of the line."""

DATABASE_SERVER = r"(process = 'postgres' OR regexp_full_match(process, 'postgres\.\d+'))"
"""SQL: whether a line's process is the server of Heroku Postgres; the number is that of the service."""

OWN = (
    "source = 'app' AND process NOT IN ('api', 'log-shuttle') AND process NOT LIKE 'heroku-%'"
    f" AND NOT {DATABASE_SERVER}"
)
"""SQL: whether an application wrote the line."""
