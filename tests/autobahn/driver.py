# The part of run.sh that speaks to the suite; Python 2, run by the suite's own interpreter.
# wstest itself listens on every interface, names no cases that did not run and drops its
# results when it is ended early; so its parts are driven from here.

import fnmatch, glob, json, os, sys, time, types

try:
    import twisted.internet.ssl
except ImportError:                     # no pyOpenSSL: fine, TLS is not used
    import twisted.internet
    stub = types.ModuleType("twisted.internet.ssl")
    stub.ClientContextFactory = stub.optionsForClientTLS = lambda *a, **k: None
    sys.modules["twisted.internet.ssl"] = twisted.internet.ssl = stub

import autobahn, autobahntestsuite
from autobahntestsuite import fuzzing
from autobahntestsuite.caseset import CaseSet
from twisted.internet import reactor

SET = CaseSet(fuzzing.CaseSetname, fuzzing.CaseBasename, fuzzing.Cases,
              fuzzing.CaseCategories, fuzzing.CaseSubCategories)
ACCEPTED = ["OK", "INFORMATIONAL"]
COLUMNS = ACCEPTED + ["NON-STRICT", "UNIMPLEMENTED", "FAILED"]


def order(case):
    return [int(n) for n in case.split(".")]


def select(globs, exclude):
    chosen = set()
    for g in globs or ["*"]:
        hit = fnmatch.filter(SET.CasesById, g)
        if not hit:
            sys.exit("autobahn: no case matches '%s'" % g)
        chosen.update(hit)
    for g in exclude:
        chosen -= set(fnmatch.filter(SET.CasesById, g))
    if not chosen:
        sys.exit("autobahn: every case is left out")
    return sorted(chosen, key=order)


def share(cases, part, parts):
    """Spread cases evenly by the bytes they send, heaviest first."""
    def weight(c):
        k = SET.CasesById[c]
        return 200000 + getattr(k, "LEN", 0) * getattr(k, "COUNT", 0)
    load, mine = [0] * parts, []
    for c in sorted(cases, key=lambda c: (-weight(c), order(c))):
        i = load.index(min(load))
        load[i] += weight(c)
        if i == part:
            mine.append(c)
    return sorted(mine, key=order)


def run(o):
    spec = {"outdir": o["outdir"], "exclude-cases": [], "exclude-agent-cases": {},
            "cases": share(o["cases"], o["part"], o["parts"])}
    if not spec["cases"]:
        return
    if o["mode"] == "client":           # the testee is a client: be the server
        spec["url"] = "ws://127.0.0.1:%d" % o["port"]
        f = fuzzing.FuzzingServerFactory(spec)
        reactor.listenTCP(o["port"], f, 50, "127.0.0.1")
    else:
        spec["servers"] = [{"agent": o["agent"], "url": o["url"]}]
        f = fuzzing.FuzzingClientFactory(spec)
    write, wrote = f.createReports, []

    def asked(*a, **k):                 # the suite, or a client, wants a report
        if o["mode"] == "client" and o["until_report"]:
            reactor.callLater(0.5, reactor.stop)

    def shutdown():                     # also after SIGTERM, SIGINT, time-out
        if not wrote:
            wrote.append(1)
            write(produceHtml=o["html"])

    f.createReports = asked
    reactor.addSystemEventTrigger("before", "shutdown", shutdown)
    def late():
        print "autobahn: time limit of %s s reached" % o["timeout"]
        reactor.stop()
    reactor.callLater(o["timeout"], late)
    reactor.run()


def wait_port(host, port, seconds):
    import socket
    end = time.time() + seconds
    while True:
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.settimeout(2)
        try:
            s.connect((host, port))
            return
        except socket.error as e:
            if time.time() > end:
                sys.exit("autobahn: nothing listens on %s:%d (%s)" % (host, port, e))
            time.sleep(0.1)
        finally:
            s.close()


def summary(o):
    agents = {}
    for name in sorted(glob.glob(os.path.join(o["out"], "part*", "index.json"))):
        for agent, cases in json.load(open(name)).items():
            for case, r in cases.items():
                r["file"] = os.path.join(os.path.dirname(name), r["reportfile"])
                agents.setdefault(agent, {})[case] = r
    if not agents:
        agents[o["agent"]] = {}
    allowed = ACCEPTED + o["allow"]
    good = True
    for agent in sorted(agents):
        got, total, bad, missing = agents[agent], {}, [], []
        fam = {}
        for c in o["cases"]:
            row = fam.setdefault(int(c.split(".")[0]), {"n": 0, "ms": 0, "close": 0, "missing": 0})
            row["n"] += 1
            r = got.get(c)
            if r is None:
                missing.append(c)
                row["missing"] += 1
                continue
            row["ms"] += r["duration"]
            v = r["behavior"] if r["behavior"] in COLUMNS else "FAILED"
            row[v] = row.get(v, 0) + 1
            total[v] = total.get(v, 0) + 1
            if r["behaviorClose"] not in allowed:
                row["close"] += 1
            if r["behavior"] not in allowed or r["behaviorClose"] not in allowed:
                bad.append(c)
        print "%-7s%6s%6s%15s%12s%15s%8s%11s%9s%9s" % (
            ("family", "cases") + tuple(COLUMNS) + ("bad close", "missing", "seconds"))
        for n in sorted(fam):
            row = fam[n]
            print "%-7s%6d%6d%15d%12d%15d%8d%11d%9d%9.1f" % (
                ("%d.*" % n, row["n"]) + tuple(row.get(c, 0) for c in COLUMNS)
                + (row["close"], row["missing"], row["ms"] / 1000.0))
        for c in sorted(got, key=order):
            if c in bad or got[c]["behavior"] == "NON-STRICT":
                print "%-9s %s / closing %s  %s" % (
                    c, got[c]["behavior"], got[c]["behaviorClose"], got[c]["file"])
        if missing:
            print "did not run: " + " ".join(missing)
        ok = not bad and not missing
        good = good and ok
        print "AUTOBAHN %s %s %s: %d cases, %s, %d bad, %d missing; wall %.1f s; suite %s; reports %s" % (
            "PASS" if ok else "FAIL", o["mode"], agent, len(o["cases"]),
            ", ".join("%d %s" % (total.get(c, 0), c) for c in COLUMNS),
            len(bad), len(missing), o["wall"], autobahntestsuite.version, o["out"])
    sys.exit(0 if good else 1)


what = sys.argv[1]
if what == "version":
    print "suite %s, autobahn %s, %s, %d cases" % (
        autobahntestsuite.version, autobahn.version, sys.version.split("\n")[-1].strip("[]"), len(SET.Cases))
elif what == "list":
    print "\n".join(select(sys.argv[2].split(), sys.argv[3].split()))
elif what == "wait":
    wait_port(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
else:
    o = json.loads(os.environ["AUTOBAHN_PLAN"])
    o["cases"] = select(o["globs"].split(), o["exclude"].split())
    o["allow"] = o["allow"].split()
    if what == "run":
        o["part"] = int(sys.argv[2])
        o["port"] += o["part"]
        o["outdir"] = str(os.path.join(o["out"], "part%d" % o["part"]))
        run(o)
    else:
        o["wall"] = float(sys.argv[2])
        summary(o)
