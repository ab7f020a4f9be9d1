/** What the documentation page does beyond being read: search, copy, try. Everything else works without this. */
const search = document.querySelector('.search input');
const token = document.querySelector('.token input');
const operations = [...document.querySelectorAll('.operation')].map((element) => ({
  element,
  text: element.querySelector('summary').textContent.toLowerCase(),
  link: document.querySelector(`nav a[href="#${element.id}"]`)?.parentElement,
}));

for (const element of document.querySelectorAll('.search, .token, .try')) element.hidden = false;

search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { element, text, link } of operations) {
    const isFound = words.every((word) => text.includes(word));
    element.hidden = !isFound;
    if (link) link.hidden = !isFound;
    if (isFound) found += 1;
  }
  for (const group of document.querySelectorAll('section.group, nav section'))
    group.hidden = group.querySelector(':scope > .operation:not([hidden]), :scope > ul > li:not([hidden])') === null;
  document.querySelector('.intro').hidden = words.length > 0;
  document.querySelector('.nothing').hidden = found > 0;
  scrollTo(0, 0);
});

document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName)) return;
  event.preventDefault();
  search.focus();
});

function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named?.matches('.operation')) return;
  named.open = true;
  named.scrollIntoView();
}
addEventListener('hashchange', openNamed);
openNamed();

async function copy(figure, button) {
  await navigator.clipboard.writeText(figure.querySelector('pre').textContent);
  button.textContent = 'Copied';
  setTimeout(() => (button.textContent = 'Copy'), 1500);
}

for (const figure of document.querySelectorAll('.code')) {
  const button = document.createElement('button');
  button.className = 'copy';
  button.type = 'button';
  button.textContent = 'Copy';
  button.addEventListener('click', () => void copy(figure, button));
  figure.querySelector('figcaption').append(button);
}

function toUrl(form) {
  const fields = [...form.querySelectorAll('input')];
  const valueOf = (name) => fields.find((field) => field.dataset.in === 'path' && field.name === name)?.value ?? '';
  const url = new URL(
    form.dataset.path.replaceAll(/\{(\w+)\}/g, (_whole, name) => encodeURIComponent(valueOf(name))),
    location.origin,
  );
  for (const field of fields)
    if (field.dataset.in === 'query' && field.value !== '') url.searchParams.append(field.name, field.value);
  return url;
}

const fileOf = (form) => form.querySelector('input[type="file"]');

/** A file goes as it is, by the type that is chosen; without one what is written is sent. */
function toBody(form) {
  const field = fileOf(form);
  const [file] = field?.files ?? [];
  const text = form.querySelector('textarea')?.value;
  if (field && !file && text === undefined) throw new Error('no file is chosen');
  // The core refuses it before it has arrived: a browser that still sends would show no answer at all.
  if (file && file.size > Number(field.dataset.bytesMax))
    throw new Error(`'${file.name}' must have at most ${field.dataset.sizeMax}: it has ${file.size} bytes`);
  return file ?? text;
}

/** The token stays in the field: it is in no storage, and gone with the page. */
async function send(form) {
  const body = toBody(form);
  const headers = {};
  if (token.value.trim() !== '') headers.authorization = `Bearer ${token.value.trim()}`;
  if (body !== undefined) headers['content-type'] = form.querySelector('.media-type')?.value ?? 'application/json';
  const beganMs = performance.now();
  const response = await fetch(toUrl(form), {
    method: form.dataset.verb,
    headers,
    credentials: 'omit',
    cache: 'no-store',
    ...(body === undefined ? {} : { body }),
  });
  const content = isFile(form, response) ? await response.blob() : await response.text();
  const tookMs = Math.round(performance.now() - beganMs);
  return {
    head: `${response.status} ${response.statusText} · ${tookMs} ms · trace ${response.headers.get('x-request-id')}`,
    parts: typeof content === 'string' ? toTextView(content) : toFileView(content, form, response),
  };
}

/** The core says which answers of the operation are bytes by nature; its refusals are text there, too. */
function isFile(form, response) {
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
  return form.dataset.binary?.split(' ').includes(type.trim().toLowerCase()) ?? false;
}

function toTextView(text) {
  if (text === '') return [];
  const pre = document.createElement('pre');
  pre.textContent = pretty(text);
  return [pre];
}

/** The file of each form's last answer: until the next one it is in the page's memory. */
const shownFiles = new WeakMap();

/** To be kept in any case; a picture is shown as well, unless the browser cannot draw it. */
function toFileView(file, form, response) {
  const url = URL.createObjectURL(file);
  shownFiles.set(form, url);
  const [, name = 'answer'] = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '') ?? [];
  const link = document.createElement('a');
  Object.assign(link, { href: url, download: name, textContent: `Download ${name}, ${file.size} bytes` });
  if (!file.type.startsWith('image/')) return [link];
  const image = document.createElement('img');
  image.addEventListener('error', () => image.remove());
  Object.assign(image, { src: url, alt: name });
  return [image, link];
}

function forgetFile(form) {
  if (shownFiles.has(form)) URL.revokeObjectURL(shownFiles.get(form));
  shownFiles.delete(form);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not JSON: shown as it came.
    return text;
  }
}

async function attempt(form) {
  const button = form.querySelector('button');
  button.disabled = true;
  const head = document.createElement('p');
  let shown = [];
  forgetFile(form);
  try {
    const { head: text, parts } = await send(form);
    head.textContent = text;
    shown = parts;
  } catch (error) {
    head.textContent = `Cannot send it: ${error.message}`;
  }
  form.querySelector('output').replaceChildren(head, ...shown);
  button.disabled = false;
}

/** What the browser takes the file for, where the operation takes that; who knows better chooses another. */
function chooseType(form, [file]) {
  const types = [...(form.querySelector('select.media-type')?.options ?? [])];
  const option = types.find(({ value }) => value === file?.type);
  if (option) option.selected = true;
}

for (const form of document.querySelectorAll('.try')) {
  const field = fileOf(form);
  field?.addEventListener('change', () => chooseType(form, field.files));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void attempt(form);
  });
}
