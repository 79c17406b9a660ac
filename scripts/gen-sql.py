#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""gen-sql.py - writes include/sonde/sql_tables.h: the SQL lexer's transition tables and its keyword hash.

usage: scripts/gen-sql.py > include/sonde/sql_tables.h

The lexer is a finite automaton that sees each byte once. It is written here as rules (state, byte class ->
next state, action), one set per dialect, because no one can check a table of 6,000 numbers by eye.
"""
import sys

DIALECTS = ["POSTGRESQL", "MYSQL", "SQLITE"]
PG, MY, LI = range(3)

CLASSES = ("OT SP NL LE E P U H B DG SQ DQ BT DOL DOT COMMA LP RP LB RB SEMI SL ST MI PL OP AMP EQ COL QM BS "
           "X").split()
C = {n: i for i, n in enumerate(CLASSES)}
LETTERS = ["LE", "E", "P", "U", "H", "B", "X"]
ALNUM = LETTERS + ["DG"]

# State -> kind of the token that ends when the state is left (see enum sonde_sql_kind in sql_core.h).
STATES = {
    "WS": "NONE", "W": "WORD", "WP": "WORD", "WE": "WORD", "WU": "WORD",
    "NUM1": "NUM", "NUM": "NUM", "NUMX": "NUM", "FRAC": "NUM", "EXPE": "NUM",
    "DOT": "DOT", "DOTW": "DOT",
    "STR": "STR", "STRQ": "STR", "STB": "STR", "STBE": "STR", "STBQ": "STR", "SDB": "STR", "SDBE": "STR", "SDBQ": "STR",
    "QD": "NAME", "QDQ": "NAME", "QB": "NAME", "QBQ": "NAME", "QK": "NAME", "QKQ": "NAME",
    "OP": "OP", "MI": "SIGN", "PL": "SIGN", "SL": "OP", "ST": "STAR", "CL": "OP", "CL2": "CAST", "UA": "OP",
    "LP": "LP", "RP": "RP", "LB": "LB", "RB": "RB", "CM": "COMMA", "SM": "SEMI",
    "QM": "PARAM", "DOL": "OP", "DOLN": "PARAM", "DTAG": "OP", "DB": "STR", "DBT": "STR", "DEND": "STR",
    "COLN": "PARAM",
    "LC": "COMMENT", "MM": "MINUS2", "BC0": "COMMENT", "BC": "COMMENT", "BCS": "COMMENT", "BCL": "COMMENT",
    "HB": "HINT", "HBW": "HINT", "HBN": "HINT", "HBS": "HINT", "HQ": "HINT", "HQS": "HINT", "HEND": "HINT", "HV": "XOPEN", "XEND": "XCLOSE",
    "DEAD": "NONE",
}
S = {n: i for i, n in enumerate(STATES)}
assert len(S) <= 64 and len(C) == 32

EMIT, START, FOLD = 1, 2, 0x20 # FOLD is also the bit in which upper and lower case differ
EVENTS = "NONE END COMMENT BANG NEST CLOSE DOPEN DCHECK QDBL STARSL USTR HINTNUM".split()
EV = {n: i << 12 for i, n in enumerate(EVENTS)}


def to(state, flags=0, ev="NONE"):
    return S[state] << 6 | flags | EV[ev]


def table(d):
    t = {}

    def row(state, default, **rules):
        r = [default] * 32
        for names, v in rules.items():
            for n in names.split("_"):
                for m in {"AL": LETTERS, "AN": ALNUM}.get(n, [n]):
                    r[C[m]] = v
        t[state] = r
        return r

    def set_(state, names, v):
        for n in names.split():
            for m in {"AL": LETTERS, "AN": ALNUM}.get(n, [n]):
                t[state][C[m]] = v

    W = to("W", EMIT | FOLD)
    nl_sp = to("WS")
    # What a byte starts when no token is open; `opened` is this row with START set, `ended` has END too.
    first = {
        "OT": to("OP", EMIT), "SP": nl_sp, "NL": nl_sp, "LE": W, "H": W,
        "E": to("WE", EMIT | FOLD), "P": to("WP", EMIT | FOLD), "X": to("WP", EMIT | FOLD), "B": to("WP", EMIT | FOLD),
        "U": to("WU", EMIT | FOLD), "DG": to("NUM1", EMIT | FOLD),
        "SQ": to("STB" if d == MY else "STR"), "DQ": to("SDB") if d == MY else to("QD"),
        "BT": to("OP", EMIT) if d == PG else to("QB"),
        "DOL": {PG: to("DOL", EMIT), MY: to("LC"), LI: to("COLN")}[d],
        "DOT": to("DOT", EMIT), "COMMA": to("CM", EMIT), "LP": to("LP", EMIT), "RP": to("RP", EMIT),
        "LB": to("QK") if d == LI else to("LB", EMIT), "RB": to("RB", EMIT), "SEMI": to("SM", EMIT),
        "SL": to("SL", EMIT), "ST": to("ST", EMIT), "MI": to("MI", EMIT), "PL": to("PL", EMIT),
        "OP": to("OP", EMIT), "AMP": to("OP", EMIT), "EQ": to("OP", EMIT), "COL": to("CL", EMIT), "QM": to("QM"),
        "BS": to("OP", EMIT),
    }
    opened = [0] * 32
    ended = [0] * 32
    for n, v in first.items():
        blank = n in ("SP", "NL")
        opened[C[n]] = v if blank else v | START
        ended[C[n]] = v | EV["END"] | (0 if blank else START)
    for s in STATES:
        t[s] = list(ended)
    t["WS"] = list(opened)
    t["DEAD"] = [to("DEAD")] * 32

    # Words, with the one-letter prefixes of strings: E'' N'' B'' X'' U&''.
    dot = to("DOTW", EMIT | START, "END")
    for s in ("W", "WP", "WE", "WU"):
        set_(s, "AN", W)
        set_(s, "DOT", dot)
        if d == PG:
            set_(s, "DOL", W)
    if d != LI:
        set_("WE", "SQ", to("STB"))
    set_("WP", "SQ", to("STB" if d == MY else "STR"))
    if d == PG:
        set_("WU", "AMP", to("UA", EMIT | START, "END"))
        set_("UA", "SQ", to("STR", 0, "USTR"))
        set_("UA", "DQ", to("QD", 0, "USTR"))

    # Numbers: 1 1.5 .5 5. 1e-3 0x1F 0b01 1_000; digits that run into letters are a name in MySQL.
    num, junk = to("NUM", EMIT | FOLD), W if d == MY else to("NUM", EMIT | FOLD)
    for s in ("NUM1", "NUM"):
        set_(s, "AL", junk)
        set_(s, "DG", num)
        set_(s, "E", to("EXPE", EMIT | FOLD))
        set_(s, "DOT", to("FRAC", EMIT))
    set_("NUM1", "X B", to("NUMX", EMIT | FOLD))
    set_("NUMX", "AL", junk)
    set_("NUMX", "E P B U H DG", to("NUMX", EMIT | FOLD))
    set_("NUMX", "LE", to("NUMX", EMIT | FOLD))
    set_("EXPE", "AL", junk)
    set_("EXPE", "DG", to("FRAC", EMIT))
    set_("EXPE", "MI PL", to("FRAC", EMIT))
    set_("FRAC", "DG", to("FRAC", EMIT))
    set_("FRAC", "E", to("EXPE", EMIT | FOLD))
    set_("DOT", "DG", to("FRAC", EMIT))
    if d == MY:
        set_("DOTW", "DG", to("W", EMIT | FOLD | START, "END"))
    for s in ("QDQ", "QBQ", "QKQ", "RP", "RB"):
        set_(s, "DOT", dot)

    # Strings. A doubled quote goes on, a backslash hides the next byte where the dialect says so.
    def string(body, quote, qcls, esc=None):
        row(body, to(body))
        set_(body, qcls, to(quote))
        set_(quote, qcls, to(body))
        if esc:
            set_(body, "BS", to(esc))
            row(esc, to(body))
    string("STR", "STRQ", "SQ")
    string("STB", "STBQ", "SQ", "STBE")
    string("SDB", "SDBQ", "DQ", "SDBE")

    # Quoted names: the bytes go out, the quotes are put back at the end if they are needed.
    for body, quote, q in (("QD", "QDQ", "DQ"), ("QB", "QBQ", "BT")):
        row(body, to(body, EMIT | FOLD))
        set_(body, q, to(quote))
        set_(quote, q, to(body, EMIT, "QDBL"))
    row("QK", to("QK", EMIT | FOLD), RB=to("QKQ"))

    # Operators: runs, but a sign is a token of its own so that it can fold into a number.
    op = to("OP", EMIT)
    for s in ("OP", "ST", "SL", "MI", "PL", "CL", "UA"):
        set_(s, "OP EQ AMP", op)
    set_("ST", "OP EQ AMP", to("OP", EMIT | START, "END"))
    set_("PL", "OP EQ AMP", to("OP", EMIT | START, "END"))
    set_("MI", "AMP EQ", to("OP", EMIT | START, "END"))
    set_("SL", "ST", to("BC0", EMIT))
    set_("MI", "MI", to("MM", EMIT) if d == MY else to("LC"))
    if d == MY:
        set_("MM", "SP NL", to("LC"))
        set_("MM", "NL", to("WS", 0, "COMMENT"))
    set_("ST", "SL", to("SL", EMIT, "STARSL"))
    set_("CL", "COL", to("CL2", EMIT))
    set_("CL", "AL", to("COLN"))
    row("COLN", 0)
    t["COLN"] = list(ended)
    set_("COLN", "AN", to("COLN"))

    # Parameters and dollar quotes.
    if d == PG:
        set_("DOL", "DG", to("DOLN"))
        set_("DOL", "AL", to("DTAG"))
        set_("DTAG", "AN", to("DTAG"))
        for s in ("DOL", "DTAG"):
            set_(s, "DOL", to("DB", 0, "DOPEN"))
        row("DB", to("DB"), DOL=to("DBT", 0, "DCHECK"))
        row("DBT", to("DB"), AN=to("DBT"), DOL=to("DBT", 0, "DCHECK"))
    set_("DOLN", "DG", to("DOLN"))
    set_("QM", "DG", to("QM"))

    # Comments, hints, and MySQL's conditional code, of which the content is lexed as SQL.
    row("LC", to("LC"), NL=to("WS", 0, "COMMENT"))
    row("BC", to("BC"), ST=to("BCS"), SL=to("BCL"))
    t["BC0"] = list(t["BC"])
    set_("BC0", "PL", to("HB", EMIT))
    if d == MY:
        set_("BC0", "OP", to("HV", EMIT, "BANG"))
    t["BCS"] = list(t["BC"])
    set_("BCS", "SL", to("WS", 0, "CLOSE"))
    t["BCL"] = list(t["BC"])
    set_("BCL", "ST", to("BC", 0, "NEST"))
    set_("HV", "DG", to("HV", EMIT))
    hb = to("HB", EMIT | FOLD)
    row("HB", hb, SP_NL=to("HBW"), ST=to("HBS", EMIT), DG=to("HBN", 0, "HINTNUM"))
    t["HBW"] = [v if v == to("HBW") else v for v in t["HB"]]
    row("HBW", to("HB", EMIT | FOLD, "HINTNUM"), SP_NL=to("HBW"), ST=to("HBS", EMIT, "HINTNUM"))
    set_("HBW", "DG", to("HBN", 0, "HINTNUM"))
    t["HBN"] = list(t["HB"])
    set_("HBN", "DG DOT", to("HBN"))
    t["HBS"] = list(t["HB"])
    set_("HBS", "SL", to("HEND", EMIT))
    for s in ("HB", "HBW", "HBN", "HBS"):
        set_(s, "SQ", to("HQ", 0, "HINTNUM"))
    row("HQ", to("HQ"), SQ=to("HB"), ST=to("HQS"))
    t["HQS"] = list(t["HQ"])
    set_("HQS", "SL", to("WS", 0, "CLOSE")) # the quote stays open: a comment after all
    return [t[s] for s in STATES]


# Attributes of a byte: the low eight bits. Twice its class, the offset into a row, is the high eight.
UPPER, ODD, KV, DIGIT = 0x20, 0x40, 0x80, 0x01


def byte_class(d, b):
    c = chr(b)
    low = c.lower() if b < 128 else c
    attr = 0
    if "A" <= c <= "Z":
        attr |= UPPER
    if c in "=:":
        attr |= KV
    if "0" <= c <= "9":
        attr |= DIGIT
    if not (b < 128 and (c.isalnum() or c in "_\"`[]")):
        attr |= ODD
    named = {"'": "SQ", '"': "DQ", "`": "BT", "$": "DOL", ".": "DOT", ",": "COMMA", "(": "LP", ")": "RP", "[": "LB",
             "]": "RB", ";": "SEMI", "/": "SL", "*": "ST", "-": "MI", "+": "PL", "&": "AMP", "=": "EQ", ":": "COL",
             "?": "QM", "\\": "BS", "\n": "NL", "_": "LE"}
    if c in " \t\r\f\v" or b == 0:
        cls = "SP"
    elif "0" <= c <= "9":
        cls = "DG"
    elif b >= 128:
        cls = "LE"
    elif low.isalpha():
        cls = {"e": "E", "n": "P", "b": "B", "x": "X", "u": "U"}.get(low, "H" if low in "acdf" else "LE")
    elif d == MY and c in "$@":
        cls = "LE"
    elif d == MY and c == "#":
        cls = "DOL"
    elif d == LI and c in "@#":
        cls = "DOL" if c == "@" else "OP"
    else:
        cls = named.get(c, "OP" if c in "<>~!@#%^|" else "OT")
    return C[cls] << 9 | attr


# Keywords: word -> (role, flags). Roles are what the token stage acts on; the rest only have to be known so that
# they go out in lower case, get their blanks, and are no column. R: reserved (keeps its quotes as a name).
# O: ends an operand (a sign behind it is binary). F: called like a function, prints without a blank before `(`.
R, O, F, N = 1, 2, 4, 8
VERBS = {}
ROLES = ["NONE"]
KW = {}


def words(text, flags=0, role="NONE"):
    if role not in ROLES:
        ROLES.append(role)
    for w in text.split():
        KW[w] = (role, flags | KW.get(w, (0, 0))[1])


# Words a value or a bracketed list may follow.
words("""add alter analyze and as asc between by call case check collate constraint create cross default delete desc
describe distinct div do drop else elseif elsif escape except exists execute explain for from full glob group having
ignore ilike inner insert intersect into join lateral leading left like limit match minus mod natural not of offset on or
order outer over partition primary references regexp rename replace restrict return returning right rlike select set
similar straight_join tablesample then to trailing truncate union unique update using when where window within xor
authorization both recursive quick high_priority low_priority delayed sql_big_result sql_buffer_result
sql_cache sql_calc_found_rows sql_no_cache sql_small_result distinctrow while until if sounds overlaps binary materialized""")
# Words that may be a column too.
words("""after against before cascade change column columns concurrently conflict cube database databases deferrable
deferred duplicate each enclosed escaped fetch first following force foreign fulltext generated global grant grouping
groups immediate index infile inherits instead isnull key keys lines load local lock locked matched merge
mode modify next no nothing notnull nowait nulls only option ordinality out outfile partitions preceding procedure purge
range read refresh repeatable returns revoke rollup rows schema schemas separator share show skip spatial starting table
tables temp temporary terminated ties transaction trigger triggers unbounded unlogged unlock unsigned usage use user view
volatile write zerofill autocommit committed isolation level serializable uncommitted names session
analyse work prepared data status variables processlist engine engines warnings errors function functions character
charset logs grants collation privileges fields events plugins master slave replica binary option type status""", N)
words("binary", 0)
KW["binary"] = ("NONE", 0)
words("""all and any as asc between by case check collate column constraint create cross default delete desc distinct
drop else end except exists false fetch for foreign from full group having in inner insert intersect into is join
lateral leading left like limit natural from not null offset on or order outer primary references right select
table then to trailing true union unique update user using values when where window with set
references""", R)
words("""count sum min max avg coalesce ifnull nullif concat concat_ws lower upper length char_length substring substr
trim ltrim rtrim round floor ceil ceiling abs now date_add date_sub date_format datediff unix_timestamp
from_unixtime year month day hour minute second cast convert extract position greatest least rand uuid database
last_insert_id found_rows row_count group_concat json_extract json_set json_object json_array md5 sha1 sha2 hex unhex
row_number dense_rank lag lead sleep version connection_id curdate curtime sysdate utc_timestamp str_to_date
find_in_set adddate subdate timestampdiff timestampadd json_unquote json_contains isnull field instr locate
uuid_to_bin bin_to_uuid char varchar decimal numeric int integer bigint smallint tinyint float double
text blob boolean datetime json""", F | N)
words("current_date current_time current_timestamp localtime localtimestamp current_user session_user", R | O | F)
words("end", R | O, "END")
words("in", R, "IN")
words("any some", R, "ANY")
words("all", R, "ALL")
words("values", R, "VALUES")
words("value", N, "VALUE")
words("row", N, "ROW")
words("array", R, "ARRAY")
words("is", R, "IS")
words("not", R, "NOT")
words("null true false", R | O, "NULL")
words("set", R, "SET")
words("interval", N, "INTERVAL")
words("date time timestamp timestamptz timetz", N | F, "TYPE")
words("varying precision zone", N, "TYPE2")
words("as", R, "AS")
words("with without", R, "WITH")
words("select", R, "SELECT")
words("begin", 0, "BEGIN")
words("on off", 0, "ON")
KW["on"] = ("ON", R)
words("to", R, "TO")
words("default", R, "DEFAULT")
words("from", R, "FROM")
words("distinct", R, "DISTINCT")
words("returning", R, "RETURNING")
words("where order limit into", R, "CLAUSE")
words("""prepare deallocate declare close open move listen notify unlisten vacuum reindex cluster checkpoint discard reset
copy help kill flush handler optimize repair xa start commit rollback abort savepoint release comment attach detach pragma
import security signal resignal""", N)

VERB_OF = {
    "SELECT": "select table values", "INSERT": "insert replace", "UPDATE": "update", "DELETE": "delete",
    "DML": "merge call do execute load handler import", "BEGIN": "begin start", "COMMIT": "commit end",
    "ROLLBACK": "rollback abort", "SAVEPOINT": "savepoint release",
    "SET": "set reset use pragma discard", "SHOW": "show describe desc explain help",
    "DDL": "create alter drop truncate rename comment grant revoke refresh reindex attach detach",
    "COPY": "copy", "UTILITY": "vacuum analyze analyse cluster checkpoint listen notify unlisten prepare deallocate declare "
    "fetch close move lock unlock kill flush optimize repair xa purge signal resignal check",
}
VERBS = list(VERB_OF)
VERB = {w: i + 1 for i, v in enumerate(VERBS) for w in VERB_OF[v].split()}
# Names behind these verbs are made up by drivers, one per statement or transaction.
FOLDING = "savepoint release deallocate unlisten rollback".split()
SKIP_WITH = {"select", "insert", "update", "delete", "merge", "replace"}

BASIS, PRIME, M64 = 0xcbf29ce484222325, 0x100000001b3, (1 << 64) - 1


def fnv(s):
    h = BASIS
    for b in s.encode():
        h = ((h ^ b) * PRIME) & M64
    return h


SLOTS, BUCKETS = 1024, 256


def perfect():
    """Two-level perfect hash: slot = (h >> 24) + disp[(h ^ h >> 17) & 255] * (h >> 40 | 1), masked."""
    names = sorted(KW)
    assert len(names) < 1000
    buckets = {}
    for w in names:
        buckets.setdefault((fnv(w) ^ fnv(w) >> 17) & (BUCKETS - 1), []).append(w)
    disp, used = [0] * BUCKETS, {}
    for b, ws in sorted(buckets.items(), key=lambda x: -len(x[1])):
        for d in range(SLOTS):
            idx = [((fnv(w) >> 24) + d * (fnv(w) >> 40 | 1)) & (SLOTS - 1) for w in ws]
            if len(set(idx)) == len(idx) and not any(i in used for i in idx):
                disp[b] = d
                used.update(zip(idx, ws))
                break
        else:
            sys.exit("no displacement for bucket %d" % b)
    return names, disp, used


def array(name, ctype, values, per, fmt="%d", dim=""):
    print("static const %s %s[%s] = {" % (ctype, name, dim))
    for i in range(0, len(values), per):
        print("\t" + ", ".join(fmt % v for v in values[i:i + per]) + ",")
    print("};\n")


def main():
    print("""/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sql_tables.h - transition tables and keywords of the SQL lexer. Written by scripts/gen-sql.py: change it there.
 */
/* clang-format off */
#ifndef SONDE_SQL_TABLES_H
#define SONDE_SQL_TABLES_H

#include "base.h"
""")
    print("enum sonde_sql_state {")
    for s in S:
        print("\tSQL_ST_%s," % s)
    print("};\n\nenum sonde_sql_event {")
    for e in EVENTS:
        print("\tSQL_EV_%s," % e)
    print("};\n\nenum sonde_sql_role {")
    for r in ROLES:
        print("\tSQL_KW_%s," % r)
    print("};\n")
    kinds = []
    for k in STATES.values():
        if k not in kinds:
            kinds.append(k)
    print("enum sonde_sql_kind {")
    for k in kinds:
        print("\tSQL_K_%s," % k)
    print("};\n")
    print("#define SQL_T_EMIT 0x%xu\n#define SQL_T_START 0x%xu\n#define SQL_T_FOLD 0x%xu\n#define SQL_T_STATE 0xfc0u"
          % (EMIT, START, FOLD))
    print("#define SQL_A_UPPER 0x%xu\n#define SQL_A_ODD 0x%xu\n#define SQL_A_KV 0x%xu\n#define SQL_A_DIGIT 0x%xu"
          % (UPPER, ODD, KV, DIGIT))
    print("#define SQL_W_RESERVED 1u\n#define SQL_W_OPERAND 2u\n#define SQL_W_CALL 4u\n#define SQL_W_NAME 8u\n"
          "#define SQL_W_FOLDING 16u\n#define SQL_W_MAIN 32u\n")
    print("#define SQL_CLASS_SP %du /* in the high byte of a class */" % (C["SP"] << 1))
    array("sonde_sql_kind_of", "u8", [kinds.index(k) for k in STATES.values()] + [0] * (64 - len(S)), 24, dim="64")
    cls = [byte_class(d, b) for d in (PG, MY, LI, PG) for b in range(256)]
    array("sonde_sql_class", "u16", cls, 16, "%#x", "4 * 256")
    nxt = []
    for d in (PG, MY, LI, PG):
        rows = table(d)
        for r in rows + [[to("DEAD")] * 32] * (64 - len(rows)):
            nxt += r
    array("sonde_sql_next", "u16", nxt, 16, "%#x", "4 * 2048 + 128")
    names, disp, used = perfect()
    array("sonde_sql_disp", "u16", disp, 20, dim=str(BUCKETS))
    order = {w: i + 1 for i, w in enumerate(names)}
    array("sonde_sql_slot", "u16", [order.get(used.get(i), 0) for i in range(SLOTS)], 24, dim=str(SLOTS))
    print("/* @text: 24 bytes, little endian words; @len bytes of them count. */")
    print("struct sonde_sql_word {\n\tu64 hash, text[3];\n\tu8 len, role, flags, verb;\n\tu32 pad;\n};\n")
    print("static const struct sonde_sql_word sonde_sql_words[1024] = {")
    for w in names:
        assert len(w) <= 24, w
        role, fl = KW[w]
        fl |= 16 if w in FOLDING else 0
        fl |= 32 if w in SKIP_WITH else 0
        b = w.encode().ljust(24, b"\0")
        q = [int.from_bytes(b[i:i + 8], "little") for i in (0, 8, 16)]
        print("\t[%d] = { %#xULL, { %#xULL, %#xULL, %#xULL }, %d, SQL_KW_%s, %d, %d, 0 }, /* %s */"
              % (order[w], fnv(w), *q, len(w), role, fl, VERB.get(w, 0), w))
    print("};\n")
    print("/* What a statement does, from its first keyword. */")
    print("enum sonde_sql_verb_listed { /* the values of enum sonde_sql_verb in sql.h, checked there */")
    for i, v in enumerate(VERBS):
        print("\tSQL_LISTED_%s = %d," % (v, i + 1))
    print("};\n\n#endif /* SONDE_SQL_TABLES_H */")


main()
