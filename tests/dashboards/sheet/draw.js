/* global uPlot, sheet */
// Runs in the page: draws each panel of `sheet` from its data. Shapes: SheetPanel of page.ts.

const colours = ['#2f6fde', '#d9822b', '#2f9e5b', '#c03f53', '#7b57c7', '#0f8b8d', '#9a7b1d', '#66707c'];
const steps = { bytes: 1024, Bps: 1024 };
const prefixes = ['', 'k', 'M', 'G', 'T'];

function scaled(value, step, suffix) {
  let power = 0;
  let rest = value;
  while (Math.abs(rest) >= step && power < prefixes.length - 1) {
    rest /= step;
    power += 1;
  }
  const text = Math.abs(rest) >= 100 ? rest.toFixed(0) : String(Number(rest.toPrecision(3)));
  return `${text}${prefixes[power] === '' && suffix === '' ? '' : ` ${prefixes[power]}${suffix}`}`;
}

function inSeconds(value) {
  const size = Math.abs(value);
  if (size >= 86_400) return `${(value / 86_400).toFixed(1)} d`;
  if (size >= 3600) return `${(value / 3600).toFixed(1)} h`;
  if (size >= 60) return `${(value / 60).toFixed(1)} min`;
  if (size >= 1 || size === 0) return `${value.toPrecision(3)} s`;
  return size >= 0.001 ? `${(value * 1000).toPrecision(3)} ms` : `${(value * 1e6).toPrecision(3)} µs`;
}

function inUnit(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (unit === 's') return inSeconds(value);
  if (unit === 'percentunit') return `${(value * 100).toFixed(1)} %`;
  if (unit === 'bool_yes_no') return value === 0 ? 'No' : 'Yes';
  if (unit === 'dateTimeFromNow') return value === 0 ? 'never' : `${inSeconds(sheet.endedAt - value / 1000)} ago`;
  const suffix = { bytes: 'B', Bps: 'B/s', reqps: 'req/s', ops: 'ops/s', cps: '/s' }[unit] ?? '';
  return scaled(value, steps[unit] ?? 1000, suffix);
}

function add(parent, tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className !== undefined) element.className = className;
  parent.append(element);
  return element;
}

const lastOf = (values) => values.findLast((value) => value !== null);

function drawTable(box, panel) {
  const table = add(box, 'table');
  for (const { name, values } of panel.series) {
    const row = add(table, 'tr');
    add(row, 'td', name);
    add(row, 'td', inUnit(lastOf(values), panel.unit), 'value');
  }
}

function colourOf(value, { warning, critical, below = false } = {}) {
  const isPast = (limit) => limit !== undefined && (below ? value < limit : value > limit);
  if (isPast(critical)) return '#c03f53';
  return isPast(warning) ? '#d9822b' : '#2f9e5b';
}

function drawNumbers(box, panel) {
  const numbers = add(box, 'div', undefined, 'numbers');
  for (const { name, values } of panel.series) {
    const value = lastOf(values);
    const number = add(numbers, 'div');
    add(number, 'b', inUnit(value, panel.unit)).style.color = colourOf(value, panel.limits);
    add(number, 'span', name);
  }
}

/** Stacked: each line stands on those before it. */
function stack(series) {
  const sums = [];
  return series.map(({ values }) =>
    values.map((value, index) => {
      sums[index] = (sums[index] ?? 0) + (value ?? 0);
      return sums[index];
    }),
  );
}

function drawLines(box, panel) {
  const data = panel.kind === 'stacked' ? stack(panel.series) : panel.series.map(({ values }) => values);
  const limits = Object.entries(panel.limits ?? {}).filter(([, value]) => typeof value === 'number');
  const most = Math.max(...data.flat().filter((value) => value !== null), 0);
  const options = {
    width: box.clientWidth - 16,
    height: 190,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      y: { range: (_plot, low, high) => [panel.min ?? low, panel.max ?? (high > low ? high * 1.05 : low + 1)] },
    },
    axes: [{ size: 30 }, { size: 84, values: (_plot, ticks) => ticks.map((tick) => inUnit(tick, panel.unit)) }],
    series: [
      {},
      ...panel.series.map((_one, index) => ({ stroke: colours[index % colours.length], width: 1.5, spanGaps: true })),
      // A limit far above would flatten what is shown.
      ...limits.map(([name]) => ({ stroke: name === 'critical' ? '#c03f53' : '#d9822b', dash: [6, 4], auto: false })),
    ],
  };
  const lines = limits.map(([, value]) =>
    sheet.times.map(() => (value <= most * 3 || panel.max >= value ? value : null)),
  );
  const plot = new uPlot(options, [sheet.times, ...data, ...lines]);
  box.append(plot.root);
  const legend = add(box, 'div', undefined, 'legend');
  for (const [index, { name, values }] of panel.series.entries()) {
    const item = add(legend, 'span');
    add(item, 'i').style.background = colours[index % colours.length];
    item.append(`${name}  ${inUnit(lastOf(values), panel.unit)}`);
  }
  for (const [name, value] of limits) add(legend, 'span', `${name} at ${inUnit(value, panel.unit)}`);
}

for (const { title, panels } of sheet.rows) {
  add(document.body, 'h2', title);
  const row = add(document.body, 'div', undefined, 'row');
  for (const panel of panels) {
    const box = add(row, 'section');
    box.style.gridColumn = `span ${panel.width}`;
    add(box, 'h3', panel.title);
    add(box, 'p', panel.question);
    if (panel.series.length === 0)
      add(box, 'p', panel.whyEmpty ?? 'NO DATA', panel.whyEmpty === undefined ? 'wrong' : 'empty');
    else if (panel.kind === 'number') drawNumbers(box, panel);
    else if (panel.kind === 'table') drawTable(box, panel);
    else drawLines(box, panel);
  }
}
