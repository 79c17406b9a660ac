# SPDX-License-Identifier: GPL-2.0-only
"""bench_text.py - the tables of bench.py for people."""

from statistics import median


def fitted(value, units, step=1000):
    """2_345_678 as "2.35 MB" """
    for unit in units[:-1]:
        if abs(value) < step:
            break
        value /= step
    else:
        unit = units[-1]
    return "%.3g %s" % (value, unit) if abs(value) < 1000 else "%.0f %s" % (value, unit)


def size(value):
    return fitted(value, ("B", "kB", "MB", "GB"))


def microseconds(value):
    return "%s%s" % ("+" if value >= 0 else "-", fitted(abs(value), ("us", "ms", "s")))


def right(row):
    if row["statements_right"] is None:
        return "-  (%s)" % row["what_not"]
    after = row.get("after_seconds_per_statement")
    exact = row["statements_right"] == row["statements_sent"]
    share = 100 * row["statements_right"] / row["statements_sent"]
    return "%s  (%d of %d)%s" % ("100 %" if exact else "%.1f %%" % min(share, 99.9), row["statements_right"], row["statements_sent"],
                                 ", read afterwards: %.1f s a million" % (after * 1e6) if after else "")


def show_load(name, what, rows):
    base = next(row for row in rows if row["observer"] == "untraced")
    print("\n%s: %s" % (name, what))
    print("  untraced: %.0f operations a second, p99 %s" % (median(base["throughput"]), fitted(median(base["p99_us"]), ("us", "ms", "s"))))
    print("  %-28s %5s %11s %10s %7s %10s   %s" % ("", "kept", "(range)", "p99", "CPU", "written", "statements right of those sent"))
    for row in rows:
        if row is base or not row["ratio"]:
            continue
        cpu = "%.1f %%" % median(row["cpu_percent"]) if row["cpu_percent"] else "-"
        print("  %-28s %5.2f %11s %10s %7s %10s   %s" %
              (row["observer"], median(row["ratio"]), "%.2f-%.2f" % (min(row["ratio"]), max(row["ratio"])),
               microseconds(median(row["p99_added_us"])), cpu, size(median(row["bytes"])), right(row)))


def show_programs(result):
    print("\nWhat sonde's programs cost (kernel.bpf_stats_enabled, one client, medians of %d runs):" % result["rounds"])
    print("  %-16s %-16s %10s %8s %12s %12s" % ("load", "program", "runs/op", "ns/run", "ns/op", "verified"))
    for row in result["probes"]:
        print("  %-16s %-16s %10.2f %8.0f %12.0f %12d" % (row["load"], row["program"], median(row["runs_per_operation"]), median(row["ns_per_run"]),
                                                        median(row["ns_per_operation"]), row["verified_instructions"]))
    print("\n  %-16s %12s %12s %12s %12s %9s %12s" % ("load", "attached in", "sonde RSS", "maps", "programs", "number", "verified"))
    for row in result["starts"]:
        print("  %-16s %9.0f ms %12s %12s %12s %9d %12d" % (row["load"], median(row["attached_ms"]), size(max(row["rss_bytes"])),
                                                          size(median(row["maps_bytes"])), size(median(row["programs_bytes"])), row["programs"],
                                                          row["verified_instructions"]))


def show(result):
    print("Linux %(kernel)s, %(cpus)d processors, runs of %(seconds)g s, %(rounds)d rounds; load average before: %(load_average_before).1f" % result)
    print("Client and server %s. kept: throughput to that of the untraced runs beside it, median; p99: what is added to one operation's;\n"
          "CPU: of the observer's process; written: its output, bytes a statement." %
          ("share one processor" if result["pinned"] else "run where they like"))
    for name, what in result["loads"].items():
        rows = [row for row in result["rows"] if row["load"] == name]
        if rows:
            show_load(name, what, rows)
    for row in result["skipped"]:
        print("  not measured: %(load)s, %(observer)s: %(reason)s" % row)
    if result["probes"]:
        show_programs(result)
