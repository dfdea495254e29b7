"""What must not be shared is gone, what analyses join on stays, and doing it twice changes nothing."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbook import redact
from workbook.errors import WorkbookError

ROUTER = (
    '2026-03-11T13:45:05.070809+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET'
    ' path="/users/42/orders.json?email=ann%40shop.test&page=2" host=www.shop.test'
    ' request_id=0f3c1e2a-7d1b-4c4e-9a51-2f6a8c1d9e44 fwd="198.51.100.23,203.0.113.9" dyno=web.2 connect=0ms'
    " service=30001ms status=503 bytes=0 protocol=https"
)

# text, the secrets in it
PLANTED = [
    ("mail to Ann.Lee+x@shop.co.uk failed", ["Ann.Lee", "shop.co.uk"]),
    ("Release v42 created by user ann@shop.test", ["ann@shop.test"]),
    ('path="/unsubscribe/ann%40shop.test"', ["ann%40shop.test"]),
    ('fwd="198.51.100.23,203.0.113.9"', ["198.51.100.23", "203.0.113.9"]),
    ("fwd=52.171.38.92 dyno=web.1", ["52.171.38.92"]),
    ("from ::ffff:198.51.100.23 and [2001:db8:0:1::17]:443", ["198.51.100.23", "2001:db8:0:1::17"]),
    ("Authorization: Bearer 0123abcd.EFGH", ["0123abcd"]),
    ('"HTTP_AUTHORIZATION"=>"Basic dXNlcjpwYXNz"', ["dXNlcjpwYXNz"]),
    ('Authorization: Token token="abc-secret", nonce="def-nonce"', ["abc-secret", "def-nonce"]),
    ('authorization: Digest username="ann", response="6629fae4"', ["6629fae4"]),
    (
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIAABCDEFGHIJKLMNOP/x, Signature=fe5f80",
        ["AKIAABCDEFGHIJKLMNOP", "fe5f80"],
    ),
    ("curl -H 'Authorization: tok3nvalue'", ["tok3nvalue"]),
    ("sent bearer abc.def1234", ["abc.def1234"]),
    ("Cookie: _session=BAh7CEki; remember=on1; theme=dark", ["BAh7CEki", "on1", "dark"]),
    ("Set-Cookie: id=a3fWa; Expires=Thu, 31 Oct 2030 07:28:00 GMT; Secure", ["a3fWa"]),
    ('"HTTP_COOKIE"=>"a=b1c2; d=e3f4"', ["b1c2", "e3f4"]),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3", ["eyJhbGci", "dozjgNryP4J3"]),
    ("key AKIAIOSFODNN7EXAMPLE used", ["AKIAIOSFODNN7EXAMPLE"]),
    (
        "https://s3.amazonaws.com/b/d.dump?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1368714467&Signature=N8Vr0o3%2FrjA%3D",
        ["AKIAIOSFODNN7EXAMPLE", "1368714467", "N8Vr0o3", "s3.amazonaws.com"],
    ),
    (
        "https://b.s3.test/x?X-Amz-Credential=AKIA%2F2026&X-Amz-Signature=9f86d081",
        ["AKIA%2F2026", "9f86d081"],
    ),
    (
        "DATABASE_URL=postgres://uabc:p4ss@ec2-52-1-2-3.compute-1.amazonaws.com:5432/d1",
        ["uabc", "p4ss", "ec2-52-1-2-3"],
    ),
    ("postgres://u:p4/ss@w0rd@db.shop.test:5432/d1", ["p4/ss", "w0rd", "db.shop.test"]),
    ("REDIS_URL=redis://:topsecret@198.51.100.7:6379/0", ["topsecret", "198.51.100.7"]),
    ("redis://h:p0d5@ec2-1.compute.amazonaws.com:7", ["p0d5", "ec2-1.compute"]),
    ("GET www.shop.test/items/7?q=blue+shoes dyno=web.1 queue=0", ["blue"]),
    ('Started GET "/reset?token=zzz9" for 198.51.100.23', ["zzz9", "198.51.100.23"]),
    ('path="/price lists/a b?q=x y&z" host=www.shop.test', ["x y", "www.shop.test"]),
    ('path="/confirm?s3cr3tconfirmation"', ["s3cr3tconfirmation"]),
    ("path=/a?b=hidden1 host=www.shop.test", ["hidden1"]),
    (
        'Parameters: {"user"=>{"password"=>"hunter2", "password_confirmation"=>"hunter3"}}',
        ["hunter2", "hunter3"],
    ),
    ("{:secret=>'s3cr3t', token: \"t0ken\"}", ["s3cr3t", "t0ken"]),
    ('{"api_key": "k-12345", "apiKey":"k-54321", "access_token":"at-1"}', ["k-12345", "k-54321", "at-1"]),
    ('message="{\\"password\\":\\"esc4ped\\"}"', ["esc4ped"]),
    (
        "SECRET_KEY_BASE=9a8b7c6d PGPASSWORD=hunter4 STRIPE_API_KEY: sk_live_abcdefghijklmn",
        ["9a8b7c6d", "hunter4", "sk_live"],
    ),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", ["wJalrXUtnFEMI"]),
    ("heroku config:set --token 4b2c", ["4b2c"]),
    ("Heroku token 01234567-89ab-cdef-0123-456789abcdef", ["01234567-89ab"]),
    ("HRKU-AAbbCCdd00112233445566778899", ["HRKU-AAbb"]),
    ("ghp_0123456789abcdefghijABCDEFGHIJ", ["ghp_"]),
    ("xoxb-123456789012-abcdefABCDEF", ["xoxb"]),
    ("https://hooks.slack.com/services/T000/B000/XXXX1234", ["T000/B000/XXXX1234"]),
    ("SG.abcdefghijklmnop.qrstuvwxyz012345", ["SG.abc"]),
    (
        "<158>1 2013-01-15T10:00:00+00:00 d.73ea7440-270a-435a-a0ea-adf50b4e5f5a heroku router - at=info",
        ["73ea7440"],
    ),
    ("GET /reset/AbCdEf0123456789abcdefGH HTTP/1.1", ["AbCdEf0123456789abcdefGH"]),
    ("Domain www.shop.com points to wwwshop.herokuapp.com", ["www.shop.com", "wwwshop"]),
    ("host=intern4l dyno=web.1", ["intern4l"]),
    ("connect to ip-10-1-2-3.ec2.internal failed", ["10-1-2-3"]),
    (
        "-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0BAQ\\nshortLine==\\n-----END RSA PRIVATE KEY-----",
        ["MIIEvQIBADANBgkqhkiG9w0BAQ", "shortLine"],
    ),
    (
        "app[web.1]: -----BEGIN PRIVATE KEY-----\napp[web.1]: MIIEvQIBADANBgkqhkiG9w0BAQ\napp[web.1]: -----END PRIVATE KEY-----",
        ["MIIEvQIBADANBgkqhkiG9w0BAQ"],
    ),
]

KEPT = [
    "2026-03-11T13:45:05.070809+00:00 app[web.1]: [0f3c1e2a-7d1b-4c4e-9a51-2f6a8c1d9e44] Completed 200 OK in 12ms",
    "source=web.1 dyno=heroku.12345678.01234567-89ab-cdef-0123-456789abcdef sample#memory_total=512.00MB",
    "2026-03-11T13:45:05+00:00 heroku[web.1]: Process running mem=533M(104.3%)",
    "ruby 3.2.1, rails 7.0.4, version 1.2.3, v1.2.3.4 and 1.2.3.4.5",
    "at 12:34:56 the module Foo::Bar::Baz and A::B ran user.rb and index.html.erb",
    "listening on http://localhost:3000, 127.0.0.1, 0.0.0.0 and ::1",
    "see https://devcenter.heroku.com/articles/error-codes",
    'Parameters: {"password"=>"[FILTERED]", "token"=>nil}',
    "tokens=12 max_tokens: 4096 PWD=/app key=value",
    "syntax error, unexpected token: }",
    "image logo@2x.png and package left-pad@1.3.0",
    "sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b deployed",
    "SELECT count(*) FROM requests WHERE status >= 500",
    "Really? Yes. GET /orders/7 ok",
    'heroku[router]: at=info method=GET path="/users/42" dyno=web.1 connect=1ms service=9ms status=200 bytes=12',
    "heroku-postgres source=DATABASE sample#db_size=12345bytes sample#index-cache-hit-rate=0.99",
    "bearer of bad news",
]


@pytest.mark.parametrize(("text", "secrets"), PLANTED, ids=[text[:40] for text, _ in PLANTED])
def test_a_planted_secret_is_gone_and_stays_gone(text, secrets):
    assert all(secret in text for secret in secrets)
    hidden, counts = redact.redact_text(text)
    for secret in secrets:
        assert secret not in hidden
    assert sum(counts.values()) >= len(secrets) - 1 and counts
    assert hidden.count("\n") == text.count("\n")
    assert redact.redact_text(hidden)[0] == hidden
    assert redact.remaining(text) and not redact.remaining(hidden)


@pytest.mark.parametrize("text", KEPT, ids=[text[:40] for text in KEPT])
def test_what_looks_alike_stays(text):
    assert redact.redact_text(text) == (text, {})


def test_a_router_line_keeps_all_that_analyses_join_on():
    hidden, counts = redact.redact_text(ROUTER)
    assert hidden == (
        '2026-03-11T13:45:05.070809+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET'
        ' path="/users/42/orders.json?email=redacted-1&page=redacted-2" host=host1.example'
        ' request_id=0f3c1e2a-7d1b-4c4e-9a51-2f6a8c1d9e44 fwd="240.0.0.1,240.0.0.2" dyno=web.2 connect=0ms'
        " service=30001ms status=503 bytes=0 protocol=https"
    )
    assert counts == {"IP address": 2, "host": 1, "query value": 2}


def test_one_thing_has_one_pseudonym_wherever_it_stands():
    hidden, _ = redact.redact_text(
        "host=www.shop.xyz fwd=198.51.100.23\nvisit www.shop.xyz or WWW.shop.xyz from 198.51.100.23\n"
        "a@shop.test b@shop.test A@shop.test"
    )
    first, second, third = hidden.split("\n")
    assert first == "host=host1.example fwd=240.0.0.1"
    assert second == "visit host1.example or host1.example from 240.0.0.1"
    assert third == "user1@redacted.example user2@redacted.example user1@redacted.example"


def test_a_version_of_four_numbers_is_taken_for_an_address():
    assert redact.redact_text("nginx 1.2.3.4") == ("nginx 240.0.0.1", {"IP address": 1})


def test_new_pseudonyms_do_not_collide_with_those_of_an_earlier_pass():
    hidden, _ = redact.redact_text("token=zz9 /a?b=redacted-1 mail x@shop.test user1@redacted.example")
    assert hidden == "token=redacted-2 /a?b=redacted-1 mail user2@redacted.example user1@redacted.example"


def test_a_token_in_a_path_keeps_the_shape_of_the_route():
    hidden, _ = redact.redact_text('path="/reset/AbCdEf0123456789abcdefGH/edit" host=www.shop.test')
    assert hidden.startswith('path="/reset/RedactedToken00000001/edit"')


def test_more_addresses_than_one_octet_stay_apart():
    text = "\n".join(f"fwd=198.{number // 250}.{number % 250}.7" for number in range(700))
    hidden, _ = redact.redact_text(text)
    assert len(set(hidden.split("\n"))) == 700
    assert redact.redact_text(hidden)[0] == hidden


def test_a_private_key_without_an_end_does_not_swallow_the_log():
    line = "app[web.1]: build 0123456789ABCDEF0123 done"
    text = "\n".join(["-----BEGIN PRIVATE KEY-----", *[line] * 300])
    assert redact.redact_text(text)[0].split("\n")[-1] == line


def test_remaining_names_the_line_and_not_the_secret():
    (left,) = redact.remaining("fine\nblob Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MEFCQ0RFRkdISUo= here")
    assert (left.line, left.kind) == (2, "long mixed text")
    assert len(left.excerpt) < 12


def test_a_value_of_a_table_is_redacted_by_its_column():
    redactor = redact.Redactor()
    assert redactor.value("intranet", "host") == "host1.example"
    assert redactor.value("/a?b=c", "path") == "/a?b=redacted-1"
    assert redactor.value([{"fwd": "198.51.100.23"}, 5, None]) == [{"fwd": "240.0.0.1"}, 5, None]


LINES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\r\n")),
        st.sampled_from([text for text, _ in PLANTED] + KEPT + [ROUTER]),
    ),
    max_size=6,
)


@given(LINES)
def test_twice_is_once_for_any_lines(lines):
    text = "\n".join(lines)
    hidden, _ = redact.redact_text(text)
    assert hidden.count("\n") == text.count("\n")
    assert redact.redact_text(hidden)[0] == hidden


# files


def test_a_file_keeps_its_lines_ends_and_bytes(tmp_path):
    source, out = tmp_path / "a.log", tmp_path / "b.log"
    source.write_bytes(ROUTER.encode() + b"\r\n\xff\xfe broken fwd=198.51.100.23\n\nlast, no end")
    counts = redact.redact_file(source, out)
    written = out.read_bytes()
    assert (
        written.count(b"\n") == 3
        and written.endswith(b"last, no end")
        and b"\xff\xfe broken fwd=240.0.0.1\n" in written
    )
    assert b"protocol=https\r\n" in written
    assert counts == {"IP address": 3, "host": 1, "query value": 2}
    assert counts.lines == 4 and counts.remaining == []
    assert redact.redact_text(ROUTER)[0].encode() in written


def test_gz_in_and_out_and_the_same_bytes_again(tmp_path):
    source = tmp_path / "a.log.gz"
    source.write_bytes(gzip.compress((ROUTER + "\n").encode()))
    redact.redact_file(source, tmp_path / "b.log.gz")
    redact.redact_file(source, tmp_path / "c.log.gz")
    first = (tmp_path / "b.log.gz").read_bytes()
    assert first == (tmp_path / "c.log.gz").read_bytes()
    assert gzip.decompress(first).decode() == redact.redact_text(ROUTER)[0] + "\n"


def test_a_log_in_utf_16_is_not_passed_on_unread(tmp_path):
    source, out = tmp_path / "a.log", tmp_path / "b.log"
    source.write_bytes((ROUTER + "\r\n").encode("utf-16"))
    redact.redact_file(source, out)
    assert out.read_bytes().decode() == redact.redact_text(ROUTER)[0] + "\r\n"


def test_a_host_named_later_is_hidden_before_too(tmp_path):
    source, out = tmp_path / "a.log", tmp_path / "b.log"
    source.write_text("shop.xyz is down\nhost=shop.xyz\n")
    redact.redact_file(source, out)
    assert out.read_text() == "host1.example is down\nhost=host1.example\n"


def test_a_file_does_not_overwrite_itself(tmp_path):
    source = tmp_path / "a.log"
    source.write_text(ROUTER)
    (tmp_path / "link.log").symlink_to(source)
    for out in (source, tmp_path / "link.log"):
        with pytest.raises(WorkbookError, match="overwrite"):
            redact.redact_file(source, out)
    assert source.read_text() == ROUTER


def test_what_fails_leaves_nothing_behind(tmp_path):
    cut = tmp_path / "cut.log.gz"
    cut.write_bytes(gzip.compress(ROUTER.encode() * 50)[:-20])
    with pytest.raises(WorkbookError, match=r"cut\.log\.gz"):
        redact.redact_file(cut, tmp_path / "b.log")
    with pytest.raises(WorkbookError, match=r"none\.log"):
        redact.redact_file(tmp_path / "none.log", tmp_path / "b.log")
    source = tmp_path / "a.log"
    source.write_text(ROUTER)
    with pytest.raises(WorkbookError, match="nowhere"):
        redact.redact_file(source, tmp_path / "nowhere" / "b.log")
    with pytest.raises(WorkbookError, match="Unpack"):
        redact.redact_file(tmp_path, tmp_path / "b.log")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "cut.log.gz"]


def test_findings_are_the_same_before_and_after(load_text, tmp_path):
    lines = "".join(ROUTER.replace("05.070809", f"{second:02d}.070809") + "\n" for second in range(20))
    source, out = tmp_path / "a.log", tmp_path / "b.log"
    source.write_text(lines)
    redact.redact_file(source, out)
    before = load_text(lines, "before.log").sql(
        "SELECT time, dyno, route, request_id, service_ms, code FROM requests ORDER BY line"
    )
    wb = load_text(out.read_text(), "after.log")
    after = wb.sql(
        "SELECT time, dyno, route, request_id, service_ms, code FROM requests WHERE host = 'host1.example' ORDER BY line"
    )
    assert len(before) == 20
    assert before.equals(after)
