/** Refuses `{ ...{ a, b }, c }`: what is spread there can be written out. */
export const noLiteralSpread = {
  meta: {
    type: 'suggestion',
    fixable: 'code',
    messages: { written: 'Write these properties out.' },
    schema: [],
  },
  create(context) {
    const { sourceCode } = context;
    return {
      'ObjectExpression > SpreadElement > ObjectExpression'(literal) {
        context.report({
          node: literal,
          messageId: 'written',
          fix(fixer) {
            if (literal.properties.length === 0) return null;
            const [from] = literal.properties[0].range;
            const [, to] = literal.properties.at(-1).range;
            return fixer.replaceText(literal.parent, sourceCode.text.slice(from, to));
          },
        });
      },
    };
  },
};
