import { ESLintUtils } from '@typescript-eslint/utils';
import * as tsutils from 'ts-api-utils';

/** Functions whose result may be kept in a variable, because they attach a handler for a rejection. */
const handlers = ['startInBackground'];
const functions = ['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'];

/**
 * Reports a promise that is stored in a variable and awaited later. If it rejects before that, the
 * process ends with an unhandled rejection.
 */
export const noHeldPromise = {
  meta: {
    type: 'problem',
    docs: {
      description:
        'A promise is awaited or returned before anything else is, or passed to `startInBackground`.',
    },
    messages: {
      held: 'An early rejection of this stored promise is unhandled and ends the process: await or return it at once, or pass it to `startInBackground`.',
    },
    schema: [],
  },
  create(context) {
    const services = ESLintUtils.getParserServices(context);
    const checker = services.program.getTypeChecker();
    const { sourceCode } = context;

    const isPromise = (node) => {
      const type = services.getTypeAtLocation(node);
      const parts = tsutils.unionConstituents(type);
      const tsNode = services.esTreeNodeToTSNodeMap.get(node);
      return parts.some((part) => tsutils.isThenableType(checker, tsNode, part));
    };

    const isHandled = (node) => {
      // An executor that takes no `reject` cannot fail.
      if (node.type === 'NewExpression') return (node.arguments[0]?.params?.length ?? 2) < 2;
      if (node.type !== 'CallExpression') return false;
      const { callee } = node;
      if (callee.type === 'Identifier') return handlers.includes(callee.name);
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return false;
      const { name } = callee.property;
      if (name === 'finally') return isHandled(callee.object);
      return name === 'catch' || (name === 'then' && node.arguments.length === 2) || name === 'resolve';
    };

    const check = (node, target, value) => {
      if (!callsIn(value).some((call) => !isHandled(call) && isPromise(call))) return;
      const { firstUse, firstWait } = positionsAfter(node, sourceCode.getText(target), sourceCode);
      if (firstUse === undefined || (firstWait ?? Infinity) < firstUse) {
        context.report({ node: value, messageId: 'held' });
      }
    };

    return {
      VariableDeclarator: (node) => {
        if (node.init !== null && node.id.type === 'Identifier') check(node, node.id, node.init);
      },
      AssignmentExpression: (node) => {
        if (node.parent.type === 'ExpressionStatement') check(node, node.left, node.right);
      },
    };
  },
};

/** The calls whose result an expression may be. Parameters and fields are not followed. */
function callsIn(value) {
  switch (value.type) {
    case 'CallExpression':
    case 'NewExpression':
      return [value];
    case 'ConditionalExpression':
      return [...callsIn(value.consequent), ...callsIn(value.alternate)];
    case 'LogicalExpression':
      return [...callsIn(value.left), ...callsIn(value.right)];
    default:
      return [];
  }
}

/**
 * Positions after `node` in its function: of the first use of `name`, and of the first await of
 * something else.
 */
function positionsAfter(node, name, sourceCode) {
  let owner = node.parent;
  while (owner.type !== 'Program' && !functions.includes(owner.type)) owner = owner.parent;
  const found = { firstUse: undefined, firstWait: undefined };
  const [, end] = node.range;
  const uses = (inner) => sourceCode.getText(inner) === name;
  const visit = (inner) => {
    if (functions.includes(inner.type)) return;
    if (inner.range[0] >= end) {
      if (inner.type === 'BinaryExpression') return;
      if (uses(inner)) found.firstUse = Math.min(found.firstUse ?? Infinity, inner.range[0]);
    }
    for (const key of sourceCode.visitorKeys[inner.type] ?? []) {
      for (const child of [inner[key]].flat()) if (child !== null && child !== undefined) visit(child);
    }
    // The operand is visited before the await, so that `await name` counts as a use.
    const waits =
      inner.type === 'AwaitExpression' || inner.type === 'YieldExpression' || inner.await === true;
    if (waits && inner.range[0] >= end && found.firstUse === undefined) found.firstWait ??= inner.range[0];
  };
  visit(owner.body);
  return found;
}
