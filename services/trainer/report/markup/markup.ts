/** HTML that is safe to put into a page. Only `markup` and `trusted` make it. */
export interface Markup {
  readonly html: string;
}

type Value = string | number | Markup | readonly Value[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Template tag: what is put in is escaped, for text and for quoted attributes alike; Markup stays as it
 * is.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  const html = strings.map((text, index) => (index === 0 ? text : toHtml(values[index - 1]!) + text));
  return { html: html.join('') };
}

/**
 * The level of a section, which stands at different depths in different pages: 2 is a page's main
 * section.
 */
export type HeadingLevel = 2 | 3 | 4 | 5;

export function heading(level: HeadingLevel, text: string): Markup {
  return markup`<h${level}>${text}</h${level}>`;
}

/** The level of a section within one of this level. */
export function below(level: HeadingLevel): HeadingLevel {
  return level === 5 ? 5 : ((level + 1) as HeadingLevel);
}

/** Marks as safe what a program made, which has escaped what is in it. */
export function trusted(html: string): Markup {
  return { html };
}

function toHtml(value: Value): string {
  if (typeof value === 'string') return value.replace(/[&<>"']/g, (character) => entities[character]!);
  if (typeof value === 'number') return String(value);
  if ('html' in value) return value.html;
  return value.map(toHtml).join('');
}
