/**
 * Bounds the lines of a function. The functions within it are bounded for themselves and do not count: a factory that returns an object
 * of small functions is as long as a class of small methods.
 */
export const functionLines = {
  meta: {
    type: 'suggestion',
    messages: { long: '{{lines}} lines without the functions in it: {{max}} is the most.' },
    schema: [{ type: 'object', properties: { max: { type: 'integer' } }, additionalProperties: false }],
  },
  create(context) {
    const [{ max }] = context.options;
    const { sourceCode } = context;
    const comments = new Set();
    for (const { loc } of sourceCode.getAllComments()) {
      for (let line = loc.start.line; line <= loc.end.line; line++) {
        const text = sourceCode.lines[line - 1].trim();
        if (/^(\/\/|\/\*|\*)/.test(text)) comments.add(line);
      }
    }
    const isCode = (line) => sourceCode.lines[line - 1].trim() !== '' && !comments.has(line);
    /** For each open function the lines of those within it. */
    const open = [];
    const enter = () => open.push(new Set());
    const leave = ({ loc }) => {
      const inner = open.pop();
      let lines = 0;
      for (let line = loc.start.line; line <= loc.end.line; line++) {
        if (isCode(line) && !inner.has(line)) lines++;
        // Of one on several lines the first stays with who holds it.
        if (line > loc.start.line) open.at(-1)?.add(line);
      }
      if (lines > max) context.report({ loc, messageId: 'long', data: { lines, max } });
    };
    return { ':function': enter, ':function:exit': leave };
  },
};
