const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for attributes in quotes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}

export interface HtmlParts {
  readonly locale: string;
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly link: { readonly url: string; readonly label: string } | null;
  readonly footer: string;
}

/** A mail as HTML. Everything that comes in is text, and is escaped here; nothing is loaded from anywhere. */
export function toHtml({ locale, title, paragraphs, link, footer }: HtmlParts): string {
  const body = [
    `<h1 style="font-size:20px">${escapeHtml(title)}</h1>`,
    ...paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`),
    ...(link === null ? [] : [`<p><a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p>`]),
    `<p style="color:#666;font-size:12px">${escapeHtml(footer)}</p>`,
  ];
  return [
    '<!doctype html>',
    `<html lang="${escapeHtml(locale)}">`,
    `<head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>`,
    '<body style="font-family:sans-serif;max-width:560px;margin:auto;padding:16px;line-height:1.5">',
    ...body,
    '</body>',
    '</html>',
    '',
  ].join('\n');
}
