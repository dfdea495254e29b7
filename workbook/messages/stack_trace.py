r"""Stack traces that an application printed: Ruby, Python, Node, Java and its kin, PHP and Go.

Every line of a trace is a log line of its own. A trace is an exception followed by its frames, or in Python ``Traceback
(most recent call last):`` with its frames followed by the exception, within one process; the lines must follow each other
within 1 s and 200 lines, and exceptions without frames are no trace. Frames are kept as printed, without leading blanks.
The first own frame is the innermost one outside of gems, packages and the language's own library: the first one printed,
in Python the last, in Java the first one of the last cause that has one; where PHP or a dying Ruby process names the place
in the head, that comes first.
"""

from workbook.messages._prefix import LOGGER_PREFIX, OWN
from workbook.messages._traces import ANY, FOREIGN, PREFIX, head, kind

TABLE = "stack_traces"

CLAIMS = rf"""
    {OWN}
    AND NOT contains(message, 'source=rack-timeout ')
    AND NOT regexp_matches(message, '{LOGGER_PREFIX}\{{"')
    AND regexp_matches(message, '{PREFIX}\s*(?:{ANY})')
"""

NEIGHBOURS = CLAIMS

ROWS = rf"""
WITH bodies AS (
    SELECT
        source_id,
        line,
        time,
        process,
        trim(regexp_replace(message, '{PREFIX}', ''), e' \t\r') AS body
    FROM claimed
),
kinds AS (
    SELECT
        *,
        {kind("body")} AS kind,
        kind NOT IN ('traceback', 'python', 'frame', 'cause') AS is_head
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
        OR kind = 'traceback'
        OR is_head AND (kind <> 'exception' OR kind_before NOT IN ('traceback', 'python'))
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
        sum(begins::INTEGER) OVER before AS number,
        sum((begins OR kind = 'cause')::INTEGER) OVER before AS part
    FROM beginnings
    WINDOW before AS (PARTITION BY source_id, process ORDER BY line)
),
traces AS (
    SELECT
        source_id,
        process,
        number,
        bool_or(kind = 'traceback') AS is_python,
        arg_min({{'line': line, 'time': time, 'body': body, 'kind': kind}}, line) FILTER (WHERE is_head) AS head,
        list({{'text': body, 'part': part}} ORDER BY line) FILTER (WHERE NOT is_head AND kind <> 'traceback') AS printed
    FROM numbered
    GROUP BY source_id, process, number
    HAVING count(*) FILTER (WHERE kind IN ('frame', 'python')) > 0 AND bool_or(is_head)
        OR bool_or(kind IN ('crash', 'php', 'old_php', 'monolog'))
),
found AS (
    SELECT
        *,
        {head("exception")} AS exception,
        {head("message")} AS message,
        {head("place")} AS place
    FROM traces
),
own_frames AS (
    SELECT
        *,
        list_filter(
            coalesce(printed, []),
            lambda frame: NOT regexp_matches(frame.text, '{FOREIGN}')
        ) AS own,
        place <> '' AND NOT regexp_matches(place, '{FOREIGN}') AS place_is_own
    FROM found
)
SELECT
    source_id,
    head.line AS line,
    head.time AS time,
    process AS dyno,
    nullif(exception, '') AS exception,
    nullif(trim(message), '') AS message,
    CASE
        WHEN place_is_own THEN place
        WHEN is_python THEN own[-1].text
        ELSE list_filter(own, lambda frame: frame.part = own[-1].part)[1].text
    END AS first_own_frame,
    concat_ws(
        chr(10),
        nullif(place, ''),
        nullif(array_to_string(list_transform(coalesce(printed, []), lambda frame: frame.text), chr(10)), '')
    ) AS frames
FROM own_frames
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
        # the cause names the place; a Spring line in front is no exception
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: Exception in thread \"main\" java.lang.IllegalStateException: Failed to load\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: \tat org.springframework.boot.SpringApplication.run(SpringApplication.java:303)\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: \tat com.example.shop.OrderService.total(OrderService.java:42)\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: \tat java.base/java.lang.Thread.run(Thread.java:829)\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]: Caused by: java.sql.SQLException: no connection\n"
        "2023-04-05T06:07:08.100005+00:00 app[web.1]: \tat org.postgresql.Driver.connect(Driver.java:1)\n"
        "2023-04-05T06:07:08.100006+00:00 app[web.1]: \tat com.example.shop.Db.open(Db.java:7)\n"
        "2023-04-05T06:07:08.100007+00:00 app[web.1]: \t... 12 more",
        ({"line": 1, "exception": "java.lang.IllegalStateException", "message": "Failed to load", "first_own_frame": "at com.example.shop.Db.open(Db.java:7)"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: 2023-01-01 00:00:00.123 ERROR 4 --- [nio-5000-exec-1] o.a.c.c.C.[.[.[/] : Servlet.service() threw exception\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: java.lang.NullPointerException: Cannot invoke \"String.length()\" because \"x\" is null\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: \tat com.example.shop.web.CartController.show(CartController.java:31) ~[classes!/:na]\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: \tat java.base/jdk.internal.reflect.NativeMethodAccessorImpl.invoke0(Native Method) ~[na:na]",
        ({"line": 2, "exception": "java.lang.NullPointerException", "first_own_frame": "at com.example.shop.web.CartController.show(CartController.java:31) ~[classes!/:na]"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: PHP Fatal error:  Uncaught Exception: no stock in /app/src/Cart.php:12\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: Stack trace:\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: #0 /app/vendor/slim/slim/Slim/App.php(33): Cart->total()\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: #1 /app/web/index.php(5): Slim\\App->run()\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]: #2 {main}\n"
        "2023-04-05T06:07:08.100005+00:00 app[web.1]:   thrown in /app/src/Cart.php on line 12",
        ({"exception": "Exception", "message": "no stock", "first_own_frame": "/app/src/Cart.php:12"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: [2023-01-01 00:00:00] production.ERROR: Division by zero {\"exception\":\"[object] (DivisionByZeroError(code: 0): Division by zero at /app/app/Http/Cart.php:7)\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: [stacktrace]\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: #0 /app/vendor/laravel/framework/src/Illuminate/Routing/Controller.php(54): App\\Http\\Cart->show()\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: #1 {main}\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]: \"}",
        ({"exception": "DivisionByZeroError", "message": "Division by zero", "first_own_frame": "/app/app/Http/Cart.php:7"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: panic: runtime error: invalid memory address or nil pointer dereference\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x6f1234]\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: \n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: goroutine 1 [running]:\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]: main.(*Cart).Total(...)\n"
        "2023-04-05T06:07:08.100005+00:00 app[web.1]: \t/tmp/build_1a2b3c4d/cart.go:12\n"
        "2023-04-05T06:07:08.100006+00:00 app[web.1]: main.main()\n"
        "2023-04-05T06:07:08.100007+00:00 app[web.1]: \t/tmp/build_1a2b3c4d/main.go:7 +0x1d",
        ({"exception": "panic", "message": "runtime error: invalid memory address or nil pointer dereference", "first_own_frame": "/tmp/build_1a2b3c4d/cart.go:12"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: http: panic serving 10.1.2.3:4567: no stock\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: goroutine 35 [running]:\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: net/http.(*conn).serve.func1()\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]: \t/usr/local/go/src/net/http/server.go:1801 +0xb9\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]: panic({0x6f2a40, 0x7a8b10})\n"
        "2023-04-05T06:07:08.100005+00:00 app[web.1]: \t/usr/local/go/src/runtime/panic.go:1047 +0x266\n"
        "2023-04-05T06:07:08.100006+00:00 app[web.1]: main.show({0x7a9c50, 0xc0001260e0}, 0xc000128000)\n"
        "2023-04-05T06:07:08.100007+00:00 app[web.1]: \t/app/main.go:21 +0x45\n"
        "2023-04-05T06:07:08.100008+00:00 app[web.1]: created by net/http.(*Server).Serve\n"
        "2023-04-05T06:07:08.100009+00:00 app[web.1]: \t/usr/local/go/src/net/http/server.go:3071 +0x4b1",
        ({"exception": "http: panic", "message": "no stock", "first_own_frame": "/app/main.go:21 +0x45"},),
    ),
    (
        # one exception while another was handled
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: Traceback (most recent call last):\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]:   File \"/app/a.py\", line 1, in f\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]:     g()\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]:   File \"/app/.heroku/python/lib/python3.8/site-packages/x.py\", line 2, in g\n"
        "2023-04-05T06:07:08.100004+00:00 app[web.1]:     raise KeyError('a')\n"
        "2023-04-05T06:07:08.100005+00:00 app[web.1]: KeyError: 'a'\n"
        "2023-04-05T06:07:08.100006+00:00 app[web.1]: \n"
        "2023-04-05T06:07:08.100007+00:00 app[web.1]: During handling of the above exception, another exception occurred:\n"
        "2023-04-05T06:07:08.100008+00:00 app[web.1]: \n"
        "2023-04-05T06:07:08.100009+00:00 app[web.1]: Traceback (most recent call last):\n"
        "2023-04-05T06:07:08.100010+00:00 app[web.1]:   File \"/app/b.py\", line 5, in h\n"
        "2023-04-05T06:07:08.100011+00:00 app[web.1]:     f()\n"
        "2023-04-05T06:07:08.100012+00:00 app[web.1]: myapp.errors.CartEmpty: empty",
        (
            {"line": 6, "exception": "KeyError", "first_own_frame": 'File "/app/a.py", line 1, in f'},
            {"line": 13, "exception": "myapp.errors.CartEmpty", "first_own_frame": 'File "/app/b.py", line 5, in h'},
        ),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: UnhandledPromiseRejectionWarning: TypeError: Cannot read property 'a' of undefined\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]:     at /app/node_modules/x/i.js:1:2\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]:     at async Promise.all (index 0)\n"
        "2023-04-05T06:07:08.100003+00:00 app[web.1]:     at async show (file:///app/src/show.mjs:3:4)",
        ({"exception": "TypeError", "first_own_frame": "at async show (file:///app/src/show.mjs:3:4)"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: Error [ERR_HTTP_HEADERS_SENT]: Cannot set headers after they are sent to the client\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]:     at ServerResponse.setHeader (node:_http_outgoing:652:11)\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]:     at /app/server.js:9:7",
        ({"exception": "Error", "message": "Cannot set headers after they are sent to the client", "first_own_frame": "at /app/server.js:9:7"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: 2023-01-01T00:00:00.000Z pid=4 tid=abc WARN: RuntimeError: boom\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: 2023-01-01T00:00:00.000Z pid=4 tid=abc WARN: /app/app/jobs/a.rb:3:in `perform'\n"
        "2023-04-05T06:07:08.100002+00:00 app[web.1]: /app/vendor/bundle/ruby/3.2.0/gems/sidekiq-7/lib/sidekiq/processor.rb:1:in `x'",
        ({"exception": "RuntimeError", "message": "boom", "first_own_frame": "/app/app/jobs/a.rb:3:in `perform'"},),
    ),
    (
        "2023-04-05T06:07:08.100000+00:00 app[web.1]: /app/lib/cart.rb:3:in 'Cart#total': no stock (RuntimeError)\n"
        "2023-04-05T06:07:08.100001+00:00 app[web.1]: \tfrom /app/app.rb:9:in 'block in <main>'",
        ({"exception": "RuntimeError", "message": "no stock", "first_own_frame": "/app/lib/cart.rb:3:in 'Cart#total'"},),
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
