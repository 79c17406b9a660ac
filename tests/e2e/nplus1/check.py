# SPDX-License-Identifier: GPL-2.0-only
"""check.py - what is wrong with the findings and the queries of a report, by truth.py. Pure: reports in, complaints out."""

import collections
import re

import truth

REQUEST_SCOPES = ("comment", "request", "async")  # named by the request; facts
NOT_JUDGED = {"ok_noise__set", "ok_catalog__oid"}  # a session's settings (a SHOW's own text is a literal), the system's tables
SINGLE = ("slow_query", "large_result")  # kinds of one execution
SLOW_NS = 100e6  # default threshold: slower ones may be told whatever they are


def slug_of_name(name):
    """bad_list of "GET /bad/list/{id}", None of another name. Handlers do the same with POST."""
    found = re.match(r"(?:GET|POST) /(bad|ok)/([a-z]+)(/\{id\})?$", name or "")
    return found and "%s_%s" % found.groups()[:2]


def brief(f):
    calls = f.get("calls_per_scope", {})
    return "%s of %r in %s %r (%s scopes, %s/%s/%s calls, parent %r)" % (
        f["kind"], f.get("query"), f["scope"]["kind"], f["scope"].get("name"), f.get("scopes"), calls.get("min"), calls.get("median"),
        calls.get("max"), f.get("parent"))


class Check:
    """@document: of a run in which each endpoint of @table was asked as often as @requests says ({slug: times}).

    @scopes: kinds of scopes findings may be in. @must: the endpoints whose findings must be told (None: all that were asked).
    @sites: {marker: regular expression} of functions that a call site must name; not @sites_sure: if there is one. @apart: no scope holds work of two endpoints.
    @whole: each call is listed under its endpoint (None: where each request has a thread).
    """

    def __init__(self, document, table, requests, scopes, must=None, sites=None, sites_sure=True, apart=True, whole=None):
        self.document = document
        self.findings = document.get("findings", [])
        self.queries = document.get("queries", [])
        self.table = table
        self.requests = requests
        self.scopes = scopes
        self.must = set(requests) if must is None else must
        self.sites = sites or {}
        self.sites_sure = sites_sure
        self.apart = apart
        self.whole = scopes == ("request",) if whole is None else whole

    def complaints(self):
        return self.counts() + self.missing() + self.false() + self.callers() + self.no_sites()

    def counts(self):
        """Each statement was seen as often as it was sent: what follows is not for want of statements."""
        if "queries" not in self.document:  # findings only
            return []
        want, seen = collections.Counter(), collections.Counter()
        for slug, times in self.requests.items():
            for mark, n in self.table[slug].calls.items():
                if mark != "ok_noise__set":
                    want[mark] += n * times
        for q in self.queries:
            for mark in truth.markers(q["text"]):
                seen[mark] += q["count"]
        return ["%s: %d calls seen, %d made" % (mark, seen[mark], n) for mark, n in sorted(want.items()) if seen[mark] != n]

    def expected(self):
        return [(self.table[slug], f) for slug in sorted(self.requests) for f in self.table[slug].findings]

    def told(self, want):
        """Findings that are @want; several processes have one each."""
        return [f for f in self.findings if f["kind"] == want.kind and want.child in truth.markers(f.get("query"))]

    def missing(self):
        out = []
        for e, want in self.expected():
            told = self.told(want)
            if not told and e.slug in self.must:
                out.append("not told: %s of %s, %d calls in %s" % (want.kind, want.child, want.n, e.name))
            for f in told:
                out += ["%s: %s" % (why, brief(f)) for why in self.wrong(e, want, f)]
            scopes, kinds = sum(f["scopes"] for f in told), {f["scope"]["kind"] for f in told}
            # Where nothing need be told: the first request of a loop is known while it is alone, those after it may not be.
            sure = kinds and kinds <= {"request", "transaction", "burst"} and want.kind not in SINGLE and e.slug in self.must
            if scopes > self.requests[e.slug] or (sure and scopes != self.requests[e.slug]):
                out.append("%d scopes, not %d: %s" % (scopes, self.requests[e.slug], "; ".join(brief(f) for f in told)))
        return out

    def wrong(self, e, want, f):
        """Why the finding @f is not quite @want."""
        scope, calls = f["scope"], f["calls_per_scope"]
        # Until a second request comes before the first is answered, nobody can know that a thread is an event loop: its first are requests.
        first = scope["kind"] == "request" and "async" in self.scopes and f["scopes"] <= 3
        if scope["kind"] not in self.scopes and not first:
            yield "a scope of this kind cannot be here"
        if scope["kind"] in REQUEST_SCOPES and scope.get("name") != e.name:
            yield "not under %s" % e.name
        if want.kind not in SINGLE:
            if calls["median"] != want.n:
                yield "not %d calls" % want.n
            if scope["kind"] != "process" and (calls["min"], calls["max"]) != (want.n, want.n):  # statistics know the average only
                yield "not always %d calls" % want.n
        if want.kind == "n_plus_one" and f["distinct_params"] < want.n / 2:
            yield "too few distinct parameters (%s)" % f["distinct_params"]
        if want.kind == "redundant_query" and f["distinct_params"] != 1:
            yield "not one parameter (%s)" % f["distinct_params"]
        if want.parent and e.slug in self.must and scope["kind"] != "process" and not self.before(f) & set(want.parent):
            yield "the parent is not %s" % " or ".join(want.parent)

    @staticmethod
    def before(f):
        """What @f says of the statement before: its parent, or the read that belongs to each write."""
        return truth.markers(f.get("parent")) | truth.markers(f.get("with"))

    def false(self):
        """Findings that are none of those expected."""
        right = {(want.kind, want.child) for _, want in self.expected()}
        for slug in self.requests:
            right |= self.table[slug].may
        out = []
        for f in self.findings:
            marks = truth.markers(f.get("query"))
            slugs = {truth.slug_of(mark) for mark in marks}
            if not marks or not any((f["kind"], mark) in right for mark in marks):
                if not (f["kind"] == "slow_query" and self.was_slow(f)):
                    out.append("false: " + brief(f))
            if slugs and f["scope"]["kind"] in REQUEST_SCOPES and slugs != {slug_of_name(f["scope"].get("name"))}:
                out.append("of another endpoint: " + brief(f))
            strangers = {truth.slug_of(mark) for mark in self.before(f)} - slugs
            if strangers and self.apart:
                out.append("what comes before belongs to another endpoint: " + brief(f))
        return out

    def was_slow(self, f):
        if "queries" not in self.document:
            return f.get("max_ns", 0) >= SLOW_NS
        return any(q["id"] == f.get("query_id") and q["latency_ns"]["max"] >= SLOW_NS for q in self.queries)

    def callers(self):
        """Statements that are listed as facts under an endpoint that did not send them."""
        if "queries" not in self.document:
            return []
        out = []
        for q in self.queries:
            slugs = {truth.slug_of(mark) for mark in truth.markers(q["text"])}
            for c in q.get("callers", []):
                if c["scope"] not in REQUEST_SCOPES or not slugs:
                    continue
                if slugs != {slug_of_name(c.get("name"))}:
                    out.append("%d calls of %r listed under %s" % (c["calls"], q["text"], c.get("name")))
        for slug, (right, calls) in self.shares().items():
            if right > calls:
                out.append("%s: %d calls listed, %d made" % (slug, right, calls))
            if self.whole and right < calls:
                out.append("%s: only %d of %d calls listed under it" % (slug, right, calls))
        return out

    def shares(self):
        """{slug: (calls listed as facts under their own endpoint, calls made)}; settings of a session need not be listed."""
        right = collections.Counter()
        # Callers are those of a statement in a process: its rows, one for each database, all list the same.
        for q in {(q["id"], q.get("pid")): q for q in self.queries}.values():
            for mark in truth.markers(q["text"]):
                right[mark] += sum(c["calls"] for c in q.get("callers", []) if c["scope"] in REQUEST_SCOPES and
                                   slug_of_name(c.get("name")) == truth.slug_of(mark))
        out = {}
        for slug, times in self.requests.items():
            marks = {mark: n for mark, n in self.table[slug].calls.items() if mark not in NOT_JUDGED}
            if marks:
                out[slug] = (sum(right[mark] for mark in marks), times * sum(marks.values()))
        return out

    def no_sites(self):
        out = []
        for _, want in self.expected():
            for f in self.told(want):
                site = " ".join(f.get("site") or [])
                if want.child in self.sites and (site or self.sites_sure) and not re.search(r"\b(%s)\b" % self.sites[want.child], site):
                    out.append("call site %s, not %s: %s" % (f.get("site"), self.sites[want.child], brief(f)))
        return out
