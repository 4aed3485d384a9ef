// Writes out types that are inferred from schemas, for build.mjs.
import ts from 'typescript';

/** @returns the text of a declaration file with types of a contract by their names, each complete by itself */
export function printContract(program, path, names) {
  const checker = program.getTypeChecker();
  const file = checker.getSymbolAtLocation(program.getSourceFile(path));
  const exported = new Map(checker.getExportsOfModule(file).map((symbol) => [symbol.name, symbol]));
  return names
    .map((name) => {
      const symbol = exported.get(name);
      const printed = new TypePrinter(checker).print(checker.getDeclaredTypeOfSymbol(symbol), '');
      return `${comment(documentationOf(checker, symbol), '')}export type ${name} = ${printed};\n`;
    })
    .join('');
}

class TypePrinter {
  #checker;

  constructor(checker) {
    this.#checker = checker;
  }

  print(type, indent) {
    if (type.isUnion()) return this.#union(type, indent);
    if (type.isIntersection()) return type.types.map((part) => this.#element(part, indent)).join(' & ');
    if (this.#checker.isTupleType(type)) {
      return `[${this.#checker
        .getTypeArguments(type)
        .map((part) => this.print(part, indent))
        .join(', ')}]`;
    }
    if (this.#checker.isArrayType(type)) {
      return `${this.#element(this.#checker.getTypeArguments(type)[0], indent)}[]`;
    }
    if ((type.flags & ts.TypeFlags.Object) !== 0) return this.#object(type, indent);
    const plain = ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Never | ts.TypeFlags.VoidLike;
    const printable =
      plain |
      ts.TypeFlags.StringLike |
      ts.TypeFlags.NumberLike |
      ts.TypeFlags.BooleanLike |
      ts.TypeFlags.Null;
    if ((type.flags & printable) !== 0) return this.#checker.typeToString(type);
    throw new Error(`A type of a contract cannot be written out: ${this.#checker.typeToString(type)}`);
  }

  /** `true | false` is `boolean`. */
  #union(type, indent) {
    const parts = type.types.map((part) => this.#element(part, indent));
    const isBoolean = parts.includes('true') && parts.includes('false');
    const others = isBoolean ? parts.filter((part) => part !== 'true' && part !== 'false') : parts;
    return [...new Set(isBoolean ? [...others, 'boolean'] : others)].join(' | ');
  }

  #element(type, indent) {
    const text = this.print(type, indent);
    return type.isUnion() && text.includes('|') ? `(${text})` : text;
  }

  #object(type, indent) {
    const inner = `${indent}    `;
    const indexes = this.#checker
      .getIndexInfosOfType(type)
      .map(
        ({ keyType, type: value }) =>
          `${inner}[key: ${this.print(keyType, inner)}]: ${this.print(value, inner)};\n`,
      );
    const properties = this.#checker
      .getPropertiesOfType(type)
      .map((property) => this.#property(property, inner));
    const members = [...properties, ...indexes].join('');
    return members === '' ? '{}' : `{\n${members}${indent}}`;
  }

  #property(property, indent) {
    const isOptional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    const name = /^\w+$/.test(property.name) ? property.name : JSON.stringify(property.name);
    const type = this.print(this.#checker.getTypeOfSymbol(property), indent);
    const text = comment(descriptionOf(this.#checker, property), indent);
    return `${text}${indent}${name}${isOptional ? '?' : ''}: ${type};\n`;
  }
}

function documentationOf(checker, symbol) {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker));
}

/** What a schema says of a field: `.describe('…')` where the field is declared, else its comment. */
function descriptionOf(checker, property) {
  const declaration = property.valueDeclaration ?? property.declarations?.[0];
  const written = declaration && describedIn(checker, declaration);
  return written ?? documentationOf(checker, property);
}

function describedIn(checker, declaration) {
  let node = declaration.initializer;
  if (ts.isShorthandPropertyAssignment(declaration)) {
    node = checker.getShorthandAssignmentValueSymbol(declaration)?.valueDeclaration?.initializer;
  } else if (node !== undefined && ts.isIdentifier(node)) {
    node = checker.getSymbolAtLocation(node)?.valueDeclaration?.initializer;
  }
  for (; node !== undefined && ts.isCallExpression(node); node = node.expression.expression) {
    if (ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'describe') {
      return textOf(node.arguments[0]);
    }
  }
  return undefined;
}

/** A string that is written in one piece, or in several with `+` between them. */
function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isBinaryExpression(node)) return undefined;
  const [left, right] = [textOf(node.left), textOf(node.right)];
  return left === undefined || right === undefined ? undefined : left + right;
}

function comment(text, indent) {
  const safe = text.replaceAll('*/', '* /').trim();
  return safe === '' ? '' : `${indent}/** ${safe.replaceAll('\n', `\n${indent} * `)} */\n`;
}
