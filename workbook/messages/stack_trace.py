r"""Stack traces that an application printed: Ruby (Rails, Rack, a crash), Python and Node.

Every line of a trace is a log line of its own. A trace is an exception followed by its frames (Ruby, Node), or
``Traceback (most recent call last):`` with its frames followed by the exception (Python), within one process; the lines
must follow each other within 1 s and 200 lines, and exceptions without frames are no trace. Frames are kept as printed,
without leading blanks. The first own frame is the innermost one outside of gems, packages and the language's own library:
the first one printed, in Python the last.
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN

TABLE = "stack_traces"

# Error classes: with a name space (A::B, a.B), or by their ending. Warning and node's own words may stand before.
_CLASS = (
    r"(?:(?:[A-Za-z_]\w*(?:::|\.))+[A-Z]\w*"
    r"|[A-Z]\w*(?:Error|Exception|Timeout|Interrupt|Failure|Fault|Exit|Iteration|Warning|Invalid|NotFound)|Error"
    r"|[A-Z]\w*(?:404|Interrupted))"
)
_WORDS = r"(?:(?:WARN|ERROR|FATAL|Uncaught|app error):? |\(node:\d+\) \w+: )*"
_EXCEPTION = rf"{_WORDS}({_CLASS})(?: \((.*)\):?\s*|: (.*)|\s*)$"
_CRASH = r"(?:app error: (.*)|(?:\S*\.rb|\S+):\d+:in [`'][^']*': (.*)) \(([A-Z][\w:]*)\)\s*$"
_RUBY = r"(?:from )?(?:\S+ \(\d[\w.]*\) )?[^\s:]*\.(?:rb|erb|haml|slim|ru|rake|builder|jbuilder):\d+(?::in .*)?$|(?:from )?[^\s:(]+:\d+:in [`'].*$"
_PYTHON = r'File "[^"]*", line \d+(?:, in .*)?$'
_NODE = r"at (?:async )?(?:.* \(.+\)|\S+:\d+(?::\d+)?)$"
_FOREIGN = (
    r"/gems/|(?:^|[\s/(])vendor/|lib/ruby/|/rubies/|<internal:|\(eval|^(?:from )?\S+ \(\d[\w.]*\) "
    r"|site-packages|dist-packages|/lib/python\d|<frozen |<string>"
    r"|node_modules|node:|\((?:internal/[\w/.-]+|[\w.-]+)\.js:\d+:\d+\)|at internal/|<anonymous>\)?$|\(native\)"
)

CLAIMS = rf"""
    {OWN}
    AND process NOT LIKE 'heroku-%'
    AND process NOT IN ('api', 'log-shuttle')
    AND NOT contains(message, 'source=rack-timeout ')
    AND regexp_matches(
        message,
        '{LOGGER_PREFIX}\s*(?:Traceback \(most recent call last\):'
        || '|{_EXCEPTION.replace("'", "''")}'
        || '|{_CRASH.replace("'", "''")}'
        || '|{_RUBY.replace("'", "''")}'
        || '|{_PYTHON.replace("'", "''")}'
        || '|{_NODE.replace("'", "''")})'
    )
"""

ROWS = rf"""
WITH bodies AS (
    SELECT
        source_id,
        line,
        time,
        process,
        trim(regexp_replace(message, '{LOGGER_PREFIX}', ''), e' \t\r') AS body
    FROM claimed
),
kinds AS (
    SELECT
        *,
        CASE
            WHEN starts_with(body, 'Traceback (') THEN 'traceback'
            WHEN regexp_matches(body, '^{_PYTHON.replace("'", "''")}') THEN 'python'
            WHEN regexp_matches(body, '^{_CRASH.replace("'", "''")}') THEN 'crash'
            WHEN regexp_matches(body, '^(?:{_RUBY.replace("'", "''")}|{_NODE.replace("'", "''")})') THEN 'frame'
            ELSE 'exception'
        END AS kind
    FROM bodies
),
neighbours AS (
    SELECT
        *,
        lag(kind) OVER same AS kind_before,
        coalesce(
            line - lag(line) OVER same <= 200
            AND coalesce(abs(date_diff('millisecond', lag(time) OVER same, time)) <= 1000, true),
            false
        ) AS follows
    FROM kinds
    WINDOW same AS (PARTITION BY source_id, process ORDER BY line)
),
beginnings AS (
    SELECT
        *,
        NOT follows
        OR kind IN ('traceback', 'crash')
        OR kind = 'exception' AND kind_before NOT IN ('traceback', 'python')
        OR kind IN ('frame', 'python') AND kind_before = 'exception' AND closes AS begins
    FROM (
        SELECT
            *,
            lag(kind = 'exception' AND kind_before IN ('traceback', 'python') AND follows) OVER same AS closes
        FROM neighbours
        WINDOW same AS (PARTITION BY source_id, process ORDER BY line)
    )
),
numbered AS (
    SELECT
        *,
        sum(begins::INTEGER) OVER (PARTITION BY source_id, process ORDER BY line) AS number
    FROM beginnings
),
traces AS (
    SELECT
        source_id,
        process,
        number,
        bool_or(kind = 'traceback') AS is_python,
        arg_min({{'line': line, 'time': time, 'body': body, 'kind': kind}}, line)
            FILTER (WHERE kind IN ('exception', 'crash')) AS head,
        list(
            CASE WHEN kind = 'crash' THEN regexp_extract(body, '^(\S+:\d+:in [`''][^'']*''): ', 1) ELSE body END
            ORDER BY line
        ) FILTER (WHERE kind IN ('frame', 'python') OR kind = 'crash' AND NOT starts_with(body, 'app error: ')) AS frames
    FROM numbered
    GROUP BY source_id, process, number
    HAVING count(*) FILTER (WHERE kind IN ('frame', 'python')) > 0
        AND count(*) FILTER (WHERE kind IN ('exception', 'crash')) > 0
),
found AS (
    SELECT
        *,
        CASE
            WHEN head.kind = 'crash' THEN {{
                'exception': regexp_extract(head.body, '\(([A-Z][\w:]*)\)\s*$', 1),
                'message': regexp_extract(head.body, '^(?:app error: (.*)|\S+:\d+:in [`''][^'']*'': (.*)) \([A-Z][\w:]*\)\s*$', 1)
                || regexp_extract(head.body, '^(?:app error: (.*)|\S+:\d+:in [`''][^'']*'': (.*)) \([A-Z][\w:]*\)\s*$', 2)
            }}
            ELSE {{
                'exception': regexp_extract(head.body, '^{_EXCEPTION}', 1),
                'message': regexp_extract(head.body, '^{_EXCEPTION}', 2) || regexp_extract(head.body, '^{_EXCEPTION}', 3)
            }}
        END AS what,
        list_filter(frames, lambda frame: NOT regexp_matches(frame, '{_FOREIGN}')) AS own
    FROM traces
)
SELECT
    source_id,
    head.line AS line,
    head.time AS time,
    process AS dyno,
    nullif(what.exception, '') AS exception,
    nullif(trim(what.message), '') AS message,
    CASE WHEN is_python THEN own[-1] ELSE own[1] END AS first_own_frame,
    array_to_string(frames, chr(10)) AS frames
FROM found
ORDER BY source_id, line
"""

EXAMPLES = (
    (
        # the book, chapter 4
        "app[web.1]: Completed 500 Internal Server Error in 14984ms\n"
        "app[web.1]:\n"
        "app[web.1]: Rack::Timeout::RequestTimeoutError (Request ran for longer than 15 seconds.):\n"
        "app[web.1]:   app/controllers/coupons_controller.rb:7:in `sleep'\n"
        "app[web.1]:   app/controllers/coupons_controller.rb:7:in `index'",
        ({"line": 3, "time": None, "dyno": "web.1", "exception": "Rack::Timeout::RequestTimeoutError",
          "message": "Request ran for longer than 15 seconds.",
          "first_own_frame": "app/controllers/coupons_controller.rb:7:in `sleep'",
          "frames": "app/controllers/coupons_controller.rb:7:in `sleep'\n"
                    "app/controllers/coupons_controller.rb:7:in `index'"},),
    ),
    (
        # two dynos side by side, gems before the own code, a logger's prefix
        "2014-05-02T11:20:30.100000+00:00 app[web.1]: E, [2014-05-02T11:20:30.100000 #4] ERROR -- : NoMethodError: undefined"
        " method `name' for nil:NilClass\n"
        "2014-05-02T11:20:30.100010+00:00 app[web.2]: PG::UndefinedColumn: ERROR:  column \"x\" does not exist\n"
        "2014-05-02T11:20:30.100020+00:00 app[web.1]: /app/vendor/bundle/ruby/2.1.0/gems/rack-1.5.2/lib/rack/lock.rb:17:in"
        " `call'\n"
        "2014-05-02T11:20:30.100030+00:00 app[web.2]: /app/lib/report.rb:3:in `run'\n"
        "2014-05-02T11:20:30.100040+00:00 app[web.1]: app/models/user.rb:12:in `label'\n"
        "2014-05-02T11:20:30.100050+00:00 app[web.1]: actionpack (4.1.0) lib/action_controller/base.rb:5:in `x'",
        (
            {"line": 1, "dyno": "web.1", "exception": "NoMethodError",
             "message": "undefined method `name' for nil:NilClass",
             "first_own_frame": "app/models/user.rb:12:in `label'"},
            {"line": 2, "dyno": "web.2", "exception": "PG::UndefinedColumn",
             "message": 'ERROR:  column "x" does not exist', "first_own_frame": "/app/lib/report.rb:3:in `run'",
             "frames": "/app/lib/report.rb:3:in `run'"},
        ),
    ),
    (
        # a Ruby process that dies at boot
        "2014-05-02T11:20:30.100000+00:00 app[web.1]: /app/config/boot.rb:4:in `require': cannot load such file -- x"
        " (LoadError)\n"
        "2014-05-02T11:20:30.100000+00:00 app[web.1]: \tfrom /app/vendor/ruby-2.1.0/lib/ruby/2.1.0/rubygems.rb:5:in `load'",
        ({"exception": "LoadError", "message": "cannot load such file -- x",
          "first_own_frame": "/app/config/boot.rb:4:in `require'"},),
    ),
    (
        "2020-05-02T11:20:30.100000+00:00 app[web.1]: Traceback (most recent call last):\n"
        '2020-05-02T11:20:30.100000+00:00 app[web.1]:   File "/app/shop/views.py", line 12, in index\n'
        "2020-05-02T11:20:30.100000+00:00 app[web.1]:     total = order.total()\n"
        '2020-05-02T11:20:30.100000+00:00 app[web.1]:   File "/app/shop/models.py", line 7, in total\n'
        "2020-05-02T11:20:30.100000+00:00 app[web.1]:     return self.net / self.rate\n"
        '2020-05-02T11:20:30.100000+00:00 app[web.1]:   File "/app/.heroku/python/lib/python3.8/decimal.py", line 1, in x\n'
        "2020-05-02T11:20:30.100000+00:00 app[web.1]: ZeroDivisionError: division by zero",
        ({"line": 7, "exception": "ZeroDivisionError", "message": "division by zero",
          "first_own_frame": 'File "/app/shop/models.py", line 7, in total'},),
    ),
    (
        "2020-05-02T11:20:30.100000+00:00 app[web.1]: TypeError: Cannot read property 'id' of undefined\n"
        "2020-05-02T11:20:30.100000+00:00 app[web.1]:     at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)\n"
        "2020-05-02T11:20:30.100000+00:00 app[web.1]:     at async show (/app/routes/orders.js:12:9)\n"
        "2020-05-02T11:20:30.100000+00:00 app[web.1]:     at process._tickCallback (internal/process/next_tick.js:68:7)",
        ({"exception": "TypeError", "message": "Cannot read property 'id' of undefined",
          "first_own_frame": "at async show (/app/routes/orders.js:12:9)"},),
    ),
    (
        # an exception without frames is no trace
        "2020-05-02T11:20:30.100000+00:00 app[web.1]: ActiveRecord::RecordNotFound (Couldn't find Order with 'id'=5):",
        (),
    ),
)  # fmt: skip

NOT_MINE = (
    "2020-05-02T11:20:30.100000+00:00 app[web.1]: listening at 5 places",
    '2020-05-02T11:20:30.100000+00:00 app[web.1]:   Parameters: {"id"=>"5"}',
    "2020-05-02T11:20:30.100000+00:00 app[postgres.12345]: [DATABASE] [7-1]  sql_error_code = 42703 ERROR:  no column",
    "2020-05-02T11:20:30.100000+00:00 heroku[web.1]: TypeError: x",
)
