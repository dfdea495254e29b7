"""Several outputs in one file, as copied from a terminal: with prompts, colours, notices, and lines of a log between.

The paste is cut into outputs, and each is read as if it stood in a file of its own. Commands become rows of ``transcript``;
prompts without a command, notices, and outputs that no reader knows are kept among the unread lines with their reason. A
private key is never kept: its lines are counted, their text is not stored.
"""

from __future__ import annotations

from workbook.loaders import _paste

TITLE = "outputs of several commands in one file"

EXAMPLES = (
    (
        # a session: prompts, a notice, a log between, an output that is not read, the book's outputs
        "Last login: Tue Jun  4 19:20:01 on ttys000\n"
        "me@laptop:~/shop (master)$ heroku ps -a shop\n"
        " ›   Warning: heroku update available from 7.0.0 to 7.0.1.\n"
        "=== web (1X): `unicorn` (1)\n"
        "web.1: up 2013/06/04 18:44:38 +0000 (~ 49m ago)\n"
        "\n"
        "me@laptop:~/shop (master)$ heroku config -a shop\n"
        "=== shop Config Vars\n"
        "RACK_ENV: production\n"
        "me@laptop:~/shop (master)$ heroku logs -n 2 -a shop\n"
        "2013-06-04T19:20:30.101202+00:00 heroku[web.1]: State changed from starting to up\n"
        "2013-06-04T19:20:31.101202+00:00 app[web.1]: took 3\n"
        "12 ms\n"
        "me@laptop:~/shop (master)$ dig +short www.csrbuddy.com\n"
        "hyogo-1003.herokuapp.com.\n"
        "107.22.234.193\n"
        "...\n"
        "me@laptop:~/shop (master)$ \n",
        {
            "processes": ({"line": 5, "dyno": "web.1", "since": "2013-06-04 18:44:38"},),
            "log_lines": (
                {"line": 11, "time": "2013-06-04 19:20:30.101202", "source": "heroku", "process": "web.1"},
                {"line": 12, "message": "took 312 ms", "source": "app"},
            ),
            "dyno_states": ({"line": 11, "to_state": "up"},),
            "dns_records": (
                {"line": 15, "asked": "www.csrbuddy.com", "value": "hyogo-1003.herokuapp.com"},
                {"line": 16, "type": "A"},
            ),
            "transcript": (
                {"line": 2, "said": "command", "command": "heroku ps", "arguments": "-a shop", "app": "shop"},
                {"line": 7, "command": "heroku config"},
                {"line": 10, "command": "heroku logs"},
                {"line": 14, "command": "dig", "arguments": "+short www.csrbuddy.com", "app": None},
            ),
            "unread_lines": (
                {"line": 1, "reason": "output of an unknown command"},
                {"line": 3, "reason": "a notice of the command line"},
                {"line": 8, "reason": "output of heroku config, which is not read"},
                {"line": 9, "reason": "output of heroku config, which is not read"},
                {"line": 17, "reason": "lines were left out here"},
                {"line": 18, "reason": "a prompt without a command"},
            ),
        },
    ),
    (
        # commands without a prompt, and a key that somebody pasted with them
        "heroku certs -a shop\n"
        "Endpoint                  Common Name(s)   Expires               Trusted\n"
        "------------------------  ---------------  --------------------  -------\n"
        "kanto-2044.herokussl.com  www.example.com  2013-09-30 23:59 UTC  True\n"
        "dig +short www.example.com\n"
        "kanto-2044.herokussl.com.\n"
        "-----BEGIN RSA PRIVATE KEY-----\n"
        "bm90IGEga2V5\n"
        "-----END RSA PRIVATE KEY-----\n",
        {
            "certificates": ({"line": 4, "endpoint": "kanto-2044.herokussl.com"},),
            "dns_records": ({"line": 6, "name": "www.example.com", "value": "kanto-2044.herokussl.com"},),
            "transcript": ({"line": 1, "command": "heroku certs"}, {"line": 5, "command": "dig"}),
            "unread_lines": tuple(
                {"line": line, "reason": "a private key, which is not kept", "text": "[private key]"} for line in (7, 8, 9)
            ),
        },
    ),
)  # fmt: skip

NOT_MINE = (
    "=== web (1X): `bundle exec unicorn -p $PORT -c ./config/unicorn.rb`\nweb.1: up 2013/05/07 18:44:38 (~ 49m ago)\n",
    "2014-05-02T11:20:30.101202+00:00 heroku[web.1]: State changed from starting to up\n$ heroku ps\n",
    "name,count\napples,3\n",
    "Dear support, the site is slow.\nIt began at five.\n",
    "$ heroku config\nRACK_ENV: production\n",
)

score, read = _paste.mixed_score, _paste.read
