"""The page's style sheet: light and dark, narrow and wide, screen and paper."""

CSS = """
:root{--bg:#fcfcfa;--fg:#1c1d1f;--soft:#63666b;--line:#dddcd6;--card:#fff;--code:#f2f1ec}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--fg:#e6e6e3;--soft:#9a9da3;--line:#34373c;
--card:#1c1f23;--code:#24272c}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:1080px;margin:0 auto;padding:0 1.25rem}
header{display:flex;gap:1.5rem;align-items:baseline;padding-top:1.5rem;flex-wrap:wrap}
header p{margin:0;color:var(--soft)}.brand{font-weight:700;font-size:1.2rem;
color:var(--fg)!important}
nav a{color:inherit;margin-right:.8rem}
h1{font-size:1.9rem;line-height:1.2;margin:1.6rem 0 .4rem}
h2{font-size:1.15rem;margin:2.2rem 0 .7rem;border-bottom:1px solid var(--line);
padding-bottom:.3rem}
h3{font-size:1rem;margin:0 0 .2rem}
.question{font-size:1.1rem;color:var(--soft);max-width:46rem;margin-top:0}
.note{color:var(--soft);font-size:.86rem;margin:.25rem 0}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,monospace;font-size:.84em}
code{background:var(--code);padding:.08em .3em;border-radius:3px}
pre{background:var(--code);padding:.5rem .7rem;border-radius:5px;overflow-x:auto;margin:.3rem 0}
.claim{display:grid;grid-template-columns:8.2rem 1fr 250px;gap:1.2rem;align-items:start;
background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:.6rem 0}
.verdict{margin:0;font-weight:600;color:var(--c);border:2px solid var(--c);border-radius:6px;
padding:.15rem .5rem;text-align:center}
.figure{font-variant-numeric:tabular-nums;font-weight:600}.figure small{font-weight:400}
.forest{width:220px;height:30px;display:block}.forest .zero{stroke:var(--soft)}
.margin{fill:var(--line)}
.arm{display:grid;grid-template-columns:2rem 1fr;gap:.6rem;margin:.5rem 0}
.arm>div{min-width:0}
.arm b{background:var(--c);color:#fff;border-radius:5px;text-align:center;height:1.7rem;
line-height:1.7rem}
.failed{color:#D55E00;margin:.2rem 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;
white-space:nowrap}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child{text-align:left}thead th{color:var(--soft);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,1fr));gap:1rem}
.chart{width:100%;background:var(--card);border:1px solid var(--line);border-radius:8px}
.chart text{font-size:11px;fill:var(--soft)}.chart .name{font-size:12px;font-weight:600;
fill:var(--fg)}
.grid{stroke:var(--line)}.chance{stroke:var(--soft);stroke-dasharray:2 3}
footer{color:var(--soft);font-size:.8rem;padding:2rem 1.25rem}
@media(max-width:760px){.claim{grid-template-columns:1fr}.verdict{justify-self:start}}
@media print{body{background:#fff;color:#000}.claim,.chart{break-inside:avoid}}
"""
