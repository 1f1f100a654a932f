"""The page's looks, light and dark. Python, so that the report's code digest covers it."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fbfbfa; --card: #ffffff; --ink: #1d2129; --soft: #667085; --line: #e3e5e8; --accent: #0072b2; --curve: #98a2b3;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171c; --card: #1c2027; --ink: #e8eaed; --soft: #98a2b3; --line: #323843; --accent: #56b4e9; --curve: #667085; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
p.lead { color: var(--soft); margin: .2rem 0 1rem; }
section.card, figure { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem; margin: 0 0 .8rem; }
.figures { display: flex; flex-wrap: wrap; gap: .8rem; }
.figures > div { flex: 1 1 9rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem 1rem; }
.figures b { display: block; white-space: nowrap; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; }
figcaption { display: flex; justify-content: space-between; flex-wrap: wrap; gap: .2rem .8rem; margin-bottom: .3rem; }
figcaption small, .legend { color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: 0 0 .8rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .35rem; vertical-align: -.1rem; }
svg { display: block; width: 100%; min-width: 38rem; height: auto; }
figure, section.card { overflow-x: auto; }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
svg .axis { stroke: var(--line); }
svg .attention { fill: var(--curve); fill-opacity: .35; stroke: var(--curve); }
svg .line { fill: none; stroke-width: 1.6; }
svg .bar { fill: var(--accent); }
"""
