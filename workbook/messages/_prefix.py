"""What a logger may print before a message, as a regular expression (RE2) that begins at the start of the line."""

LOGGER_PREFIX = (
    r"^(?:App \d+ std(?:out|err): )?"  # Passenger
    r"(?:[A-Z], \[[^\]]*\] +)?(?:[A-Z]+ -- [^:\[]{0,40}: )?"  # Ruby's Logger
    r"(?:\[[^\]]*\] ?)*"  # tags of Rails, the request's id among them
)
