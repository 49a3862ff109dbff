"""The page's style sheet: light and dark, narrow and wide, screen and paper.

Series have Okabe and Ito's colours, lightened on dark ground.
"""

CSS = """
:root{--bg:#fbfaf7;--fg:#1d1f22;--soft:#5d6168;--line:#e2dfd7;--card:#fff;--code:#f3f1eb;
--zone:#00000010;--good:#007a5a;--bad:#c04a00;--open:#6b6f76;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#c45f97;--c4:#b87d00;--c5:#2f93cf;--c6:#6f7379}
@media(prefers-color-scheme:dark){:root{--bg:#131518;--fg:#e8e7e3;--soft:#a0a4ab;--line:#30343a;
--card:#1a1d21;--code:#22262b;--zone:#ffffff14;--good:#3fcb9f;--bad:#ff8f4d;--open:#a0a4ab;
--c0:#5ab4f0;--c1:#ff8a3d;--c2:#2fcf9f;--c3:#e79ac8;--c4:#f0b93a;--c5:#9ad8ff;--c6:#a9adb3}}
.s0{--c:var(--c0)}.s1{--c:var(--c1)}.s2{--c:var(--c2)}.s3{--c:var(--c3)}.s4{--c:var(--c4)}
.s5{--c:var(--c5)}.s6{--c:var(--c6)}
.v-holds{--c:var(--good)}.v-contradicts{--c:var(--bad)}.v-undecided{--c:var(--open)}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 ui-sans-serif,system-ui,
-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.top,main,footer{max-width:1120px;margin:0 auto;padding:0 1.5rem}
.top{display:flex;gap:2rem;align-items:baseline;padding-top:1.25rem;flex-wrap:wrap;
color:var(--soft);font-size:.9rem}
.top p{margin:0}.top b{color:var(--fg);font-size:1.05rem;letter-spacing:-.01em;margin-right:.5rem}
a{color:inherit}nav a{margin-right:1rem}
article+article{margin-top:5rem;border-top:3px double var(--line)}
h1,h2,h3{line-height:1.2;text-wrap:balance;letter-spacing:-.012em}
h1{font-size:clamp(1.7rem,4vw,2.5rem);margin:.1rem 0 .6rem;font-weight:700;max-width:24em}
h2{font-size:1.3rem;margin:3rem 0 .5rem;font-weight:650}
h3{font-size:1rem;margin:1.4rem 0 .4rem;font-weight:600}
.eyebrow{margin:2.5rem 0 0;color:var(--soft);font-size:.85rem;letter-spacing:.02em}
.question{font-size:1.15rem;color:var(--soft);max-width:42em;margin:0 0 1.2rem}
.note{color:var(--soft);font-size:.875rem;max-width:64em;margin:.35rem 0 .9rem}
ul,ol{padding-left:1.2rem}section>ul>li{margin:.3rem 0;max-width:58em}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
font-size:.84em}
code{background:var(--code);padding:.1em .32em;border-radius:4px;overflow-wrap:anywhere}
pre{background:var(--code);padding:.55rem .75rem;border-radius:6px;margin:.45rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;user-select:all;line-height:1.45}
.chips{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem 1.4rem;padding:0;margin:0 0 1.3rem}
.chips li{color:var(--c);font-weight:600}.chips .no{opacity:.6;font-weight:400}
.chips b{font-size:1.7rem;margin-right:.15rem;
font-variant-numeric:tabular-nums;letter-spacing:-.02em}
.facts{display:grid;grid-template-columns:minmax(0,2.4fr) repeat(3,minmax(0,1fr));gap:1rem 2rem;
border-block:1px solid var(--line);padding:.9rem 0;margin:0;font-size:.9rem}
dt{color:var(--soft);font-size:.8rem}dd{margin:0}
.claims,.arms,.keys{list-style:none;padding:0;margin:0}
.claim{display:grid;grid-template-columns:8.4rem minmax(0,1fr) 280px;gap:.5rem 1.6rem;
border-top:1px solid var(--line);padding:1.15rem 0}
.claim:last-child{border-bottom:1px solid var(--line)}
.claim h3{margin:.15rem 0 .35rem;font-size:1.06rem}
.claim p{margin:.15rem 0}
.badge{justify-self:start;align-self:start;color:var(--c);border:1.5px solid var(--c);
border-radius:99px;padding:.12rem .75rem;font-weight:600;font-size:.9rem;white-space:nowrap}
.claim .badge{margin-top:.1rem}
.test,.paper,.reason{color:var(--soft);font-size:.875rem}.paper span{font-weight:600}
.figure{font-variant-numeric:tabular-nums}.figure b{font-size:1.12rem}
.figure span{color:var(--soft)}
.interval{width:100%;max-width:280px;display:block}
.zone{fill:var(--zone)}.zero{stroke:var(--soft);stroke-width:1.2}
.bar{stroke:var(--c);stroke-width:3;stroke-linecap:round}
.arm{display:grid;grid-template-columns:4.6rem minmax(0,1fr);gap:.3rem .8rem;padding:.7rem 0}
.arm h3{margin:0 0 .3rem}.arm .name{margin:0;color:var(--c);display:flex;gap:.5rem;
align-items:center;height:1.3rem}
.arm .name b{font-size:1.1rem}.key{width:34px;height:14px;flex:none}
.keys{display:flex;flex-wrap:wrap;gap:.25rem .5rem}
.failed{color:var(--bad);margin:.2rem 0}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));
gap:1.2rem 1.4rem;margin:.9rem 0}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:.75rem .7rem .4rem}
figcaption{font-weight:600;font-size:.94rem;padding:0 .3rem .3rem;line-height:1.3}
figcaption small{display:block;font-weight:400;color:var(--soft);font-size:.8rem}
figure svg{width:100%;display:block}
svg text{font-size:11.5px;fill:var(--soft);font-family:inherit;font-variant-numeric:tabular-nums}
svg text.small{font-size:10.5px}svg text.end{fill:var(--c);font-weight:700;font-size:12px}
.grid{stroke:var(--line)}.level{stroke:var(--soft);stroke-dasharray:1.5 3}
.dense{stroke-width:1.6!important}.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.mark{fill:var(--c)}.band{fill:var(--c);opacity:.13}
.scroll{overflow-x:auto;margin:.4rem 0}
.scroll:focus-visible,pre:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
table{border-collapse:collapse;font-size:.89rem;font-variant-numeric:tabular-nums;
white-space:nowrap;min-width:min(100%,30rem)}
th,td{padding:.36rem .75rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child{text-align:left}thead th{color:var(--soft);font-weight:600;font-size:.83rem}
.groups th{text-align:center;border-bottom:0}.groups td{border-bottom:0}
.edge,.groups th{border-left:1px solid var(--line)}
.sharing td{text-align:left;vertical-align:middle;border:1px solid var(--line);
background:var(--card);padding:.5rem .8rem;border-left:3px solid var(--c6)}
.sharing td.trained{border-left-color:var(--good)}.sharing td.none{color:var(--soft)}
.sharing td b{display:block;font-weight:600}.sharing thead th:not(:first-child){text-align:left}
.sharing code{background:none;padding:0;color:var(--soft)}
details{margin:1rem 0}summary{cursor:pointer;font-weight:600;font-size:.92rem}
footer{color:var(--soft);font-size:.8rem;padding-block:3rem 2rem}
@media(max-width:860px){.claim{grid-template-columns:minmax(0,1fr)}.facts{
grid-template-columns:minmax(0,1fr) minmax(0,1fr)}}
@media(max-width:520px){.top,main,footer{padding-inline:1rem}.facts{
grid-template-columns:minmax(0,1fr);gap:.6rem}.arm{grid-template-columns:minmax(0,1fr)}}
@media print{:root{--bg:#fff;--card:#fff;--code:#f3f1eb;--fg:#000}body{font-size:10.5pt}
.claim,figure,.arm,tr{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}
table{white-space:normal}details>*{display:block}}
"""
