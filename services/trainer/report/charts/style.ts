/** The report's looks: light and dark by the reader's system, from a phone to a wide screen. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f5f6f8; --ink: #1b1f24; --muted: #5b6470; --line: #dde1e7;
  --first: #0a63c2; --second: #c2490a; --cell: #5c9ee6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --panel: #1d2126; --ink: #e7eaee; --muted: #a0a9b4; --line: #343b44;
    --first: #67b0ff; --second: #ffa566; --cell: #2a66a8;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 1080px; padding: 24px 16px 64px; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 48px 0 8px; }
h3, h4, h5 { font-size: 1rem; margin: 24px 0 8px; }
h4, h5 { font-size: 0.9375rem; }
summary h3, summary h4 { display: inline; font-weight: 400; }
p { margin: 4px 0 12px; max-width: 72ch; }
.quiet { color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 12px; margin: 24px 0; }
.tile { background: var(--panel); border-radius: 10px; padding: 14px 16px; }
.tile b { display: block; font-size: 1.9rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; }
.small { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 16px 12px; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 4px; overflow-wrap: anywhere; }
figcaption span { display: block; font-weight: 400; color: var(--muted); font-size: 0.875rem; }
svg { display: block; width: 100%; height: auto; }
.small svg { max-width: 220px; }
.natural svg { max-width: var(--natural); min-width: calc(var(--natural) * 0.7); }
.small figure { display: flex; flex-direction: column; justify-content: flex-end; }
.three { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 0.875rem; color: var(--muted); }
.key span::before {
  content: ""; display: inline-block; width: 22px; margin-right: 6px; vertical-align: middle;
  border-top: 3px solid var(--first);
}
.key .second::before { border-top-color: var(--second); }
.key .muted::before { border-top-color: var(--muted); }
.key .dashed::before { border-top-style: dashed; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9375rem; }
th, td { padding: 5px 14px 5px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
tr:first-child th:first-child, th[scope="row"] { text-align: left; }
th[scope="row"] { font-weight: 400; max-width: 380px; white-space: normal; overflow-wrap: break-word; }
td small { display: block; color: var(--muted); font-size: 0.8125rem; }
.grouped th, .grouped td { padding-right: 10px; vertical-align: top; }
.grouped tbody th { min-width: 118px; }
.grouped thead th { vertical-align: bottom; }
.grouped th[scope="colgroup"] { text-align: center; border-bottom-color: var(--muted); }
.wordy th, .wordy td { white-space: normal; text-align: left; vertical-align: top; }
.wordy td { min-width: 90px; }
thead th { color: var(--muted); font-weight: 400; font-size: 0.93em; }
tfoot th, tfoot td { font-weight: 600; border-bottom: 0; }
tfoot th[scope="row"] { font-weight: 600; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 10px 24px; margin: 0; }
dt { color: var(--muted); font-size: 0.875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
summary { cursor: pointer; margin-top: 16px; }
@media (max-width: 480px) {
  table { font-size: 0.8125rem; }
  th, td, .grouped th, .grouped td { padding-right: 9px; }
}
`;
