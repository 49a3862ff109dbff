"""The page's style sheet: light and dark, narrow and wide, screen and paper."""

CSS = """
:root{--bg:#fbfaf7;--fg:#1d1f22;--soft:#5d6168;--faint:#767a81;--line:#e2dfd7;--card:#fff;
--code:#f3f1eb;--loss:#c6ead9;--edge:#007a5a;--user:#e8edf6;--frame:#6b5b95;--image:#d9bf77;
--special:#c04a00;--warn:#8a4b00;--warnbg:#fff4e0}
@media(prefers-color-scheme:dark){:root{--bg:#131518;--fg:#e8e7e3;--soft:#a0a4ab;--faint:#8b9097;
--line:#30343a;--card:#1a1d21;--code:#22262b;--loss:#0f4a38;--edge:#3fcb9f;--user:#252c38;
--frame:#b7a6e8;--image:#7d6a35;--special:#ff8f4d;--warn:#ffc46b;--warnbg:#33270f}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:3.2rem}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 ui-sans-serif,system-ui,
-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header.top,main,footer{max-width:1180px;margin:0 auto;padding:0 1.5rem}
h1,h2,h3{line-height:1.2;letter-spacing:-.012em;text-wrap:balance}
h1{font-size:clamp(1.6rem,4vw,2.3rem);margin:.1rem 0 .5rem}
h2{font-size:1.3rem;margin:2.6rem 0 .5rem}h3{font-size:1rem;margin:1.4rem 0 .4rem}
.eyebrow{margin:0;padding-top:1.6rem;color:var(--soft);font-size:.85rem}
.note{color:var(--soft);font-size:.875rem;max-width:64em;margin:.35rem 0 .9rem}
code,pre,.text{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
code,pre{font-size:.84em;background:var(--code);border-radius:4px;overflow-wrap:anywhere}
code{padding:.1em .32em}pre{padding:.55rem .75rem;margin:.45rem 0;white-space:pre-wrap;
user-select:all}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.4rem,1fr));gap:.7rem;
margin:1rem 0;padding:0;list-style:none}
.tiles li{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:.6rem .8rem;font-size:.82rem;color:var(--soft);line-height:1.35}
.tiles b{display:block;font-size:1.45rem;color:var(--fg);font-variant-numeric:tabular-nums;
letter-spacing:-.02em}
.tiles .main{border-color:var(--edge);border-width:2px}.tiles .main b{color:var(--edge)}
.remarks{background:var(--warnbg);border-left:4px solid var(--warn);border-radius:4px;
padding:.5rem 1rem;margin:1rem 0}.remarks h2{font-size:1rem;margin:.1rem 0;color:var(--warn)}
.remarks ul{margin:.2rem 0;padding-left:1.1rem}
dl.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));
gap:.6rem 1.6rem;border-block:1px solid var(--line);padding:.8rem 0;margin:1rem 0;font-size:.9rem}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.4rem 0}
table{border-collapse:collapse;font-size:.89rem;font-variant-numeric:tabular-nums;
white-space:nowrap}
th,td{padding:.32rem .75rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td.left,th.left{text-align:left}thead th{color:var(--soft);font-weight:600;
font-size:.83rem}td.wide{white-space:normal;text-align:left;min-width:16rem;overflow-wrap:anywhere}
tfoot td,tfoot th{font-weight:600;border-bottom:0}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));
gap:1rem 2.5rem}
.bars{width:100%}.bars td,.bars th{border:0;padding:.1rem .4rem;font-weight:400}
.bars td:last-child{width:70%;text-align:left}
.bar{display:inline-block;height:.7rem;background:var(--edge);border-radius:2px;min-width:2px;
vertical-align:middle;margin-right:.45rem}.bars small{color:var(--soft)}
.legend{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line);
padding:.45rem 0;display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:center;font-size:.83rem}
.legend .text{font-size:.8rem}
.rows nav{display:flex;flex-wrap:wrap;gap:.25rem .6rem;font-size:.85rem;margin:.6rem 0}
a{color:inherit}
.row{margin:1.6rem 0 2.6rem;content-visibility:auto;contain-intrinsic-size:auto 900px}
.row h3{font-size:1.05rem;margin:0 0 .3rem}.row h3 small{font-weight:400;color:var(--soft)}
.strip{display:block;width:100%;height:20px;border-radius:3px;background:var(--code);
margin:.3rem 0 .7rem}
.strip .t{fill:var(--soft);opacity:.38}.strip .l{fill:var(--edge)}.strip .i{fill:var(--image)}
.strip .d{fill:var(--bg)}
.key{display:inline-block;width:.9rem;height:.7rem;border-radius:2px;vertical-align:-1px;
margin-right:.25rem}
.k-t{background:var(--soft);opacity:.4}.k-l{background:var(--edge)}.k-i{background:var(--image)}
.doc{border:1px solid var(--line);border-left:4px solid var(--fg);background:var(--card);
border-radius:3px 8px 8px 3px;margin:0 0 .6rem}
.doc header{display:flex;flex-wrap:wrap;gap:.1rem .9rem;padding:.35rem .8rem;font-size:.8rem;
color:var(--soft);border-bottom:1px solid var(--line)}
.doc header b{color:var(--fg)}.doc header span{overflow-wrap:anywhere}
.doc .cut{color:var(--warn);font-size:.8rem;padding:.25rem .8rem;margin:0;background:var(--warnbg)}
.doc .none{color:var(--warn)}
.text{padding:.6rem .8rem;font-size:.84rem;line-height:1.75;white-space:pre-wrap;
overflow-wrap:anywhere;margin:0}
.text:focus-visible,.scroll:focus-visible{outline:2px solid var(--edge);outline-offset:1px}
.text span,.text mark{border-radius:2px;padding:.08em .12em;margin:0 .08em;
-webkit-box-decoration-break:clone;box-decoration-break:clone}
.text span{color:var(--soft)}
.text mark{background:var(--loss);color:var(--fg);border-bottom:2px solid var(--edge)}
.text .u{background:var(--user);color:var(--fg)}
.text .f{color:var(--frame);font-style:italic;outline:1px dotted var(--frame);outline-offset:-1px}
.text mark.f{color:var(--fg)}
.text .s{color:var(--special);font-weight:700;border:1px solid var(--special);padding:0 .3em;
border-radius:4px;font-size:.92em;white-space:nowrap}
.text mark.s{color:var(--fg);border-color:var(--edge);border-bottom-width:2px}
.text .v{display:inline-block;vertical-align:middle;margin:.25rem .3rem;padding:3px;
background:var(--image);border-radius:5px;line-height:1.2;font-size:.7rem;text-align:center;
color:var(--fg)}
.v svg{display:block;border-radius:3px}
.pad{border:1px dashed var(--faint);border-radius:4px;color:var(--soft);font-size:.8rem;
padding:.3rem .8rem;background:repeating-linear-gradient(135deg,transparent 0 8px,var(--code) 8px
16px)}
.hid{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
#tip{position:fixed;z-index:5;max-width:min(26rem,92vw);background:var(--fg);color:var(--bg);
border-radius:6px;padding:.45rem .7rem;font-size:.8rem;line-height:1.45;pointer-events:none;
box-shadow:0 3px 14px #0005}#tip[hidden]{display:none}
#tip b{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre-wrap;
overflow-wrap:anywhere}#tip svg{display:block;margin-top:.4rem;border-radius:3px}
::highlight(token){background-color:var(--fg);color:var(--bg)}
.v.on{outline:3px solid var(--fg)}
details{margin:.8rem 0}summary{cursor:pointer;font-weight:600;font-size:.92rem}
footer{color:var(--soft);font-size:.8rem;padding-block:2.5rem 2rem}
@media(max-width:560px){header.top,main,footer{padding-inline:.9rem}.legend{position:static}
.text{padding:.5rem}}
@media print{.legend{position:static}.row{content-visibility:visible}.doc,tr{break-inside:avoid}
#tip{display:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
