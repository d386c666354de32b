/**
 * Two oxlint rules that hold the architecture of `architecture.ts`:
 *
 * - `architecture/floors`: imports between the folders of `src` only run down.
 * - `architecture/seam`: outside the real-process files, no clock, timer, randomness, network or
 *   disk but through the `Runtime` that was passed in.
 *
 * Tests are free of both: they start real parts, and use the simulator as their world.
 */
import { isBuiltin } from 'node:module';
import { posix, relative, sep } from 'node:path';
import {
  FLOORS,
  IMPURE_MEMBERS,
  PURE_GLOBALS,
  PURE_MODULES,
  PURE_PACKAGES,
  REAL_PROCESS,
  REAL_RUNTIME,
} from './architecture.ts';

interface Node {
  readonly type: string;
  readonly parent?: Node;
  readonly name?: string;
  readonly value?: unknown;
  readonly computed?: boolean;
  readonly object?: Node;
  readonly property?: Node;
  readonly source?: Node | null;
  readonly imported?: Node;
  readonly local?: Node;
  readonly specifiers?: readonly Node[];
}

interface Scope {
  readonly through: ReadonlyArray<{ readonly identifier: Node }>;
  readonly variables: ReadonlyArray<{
    readonly name: string;
    readonly defs: readonly unknown[];
    readonly references: ReadonlyArray<{ readonly identifier: Node }>;
  }>;
}

interface Context {
  readonly filename: string;
  readonly cwd: string;
  readonly sourceCode: { readonly scopeManager: { readonly globalScope: Scope | null } };
  report(diagnostic: { readonly node: Node; readonly message: string }): void;
}

type Visitor = Readonly<Record<string, (node: Node) => void>>;

/** Path from the repository's root, with `/`. */
function pathOf(context: Context): string {
  return relative(context.cwd, context.filename).split(sep).join('/');
}

/** Tests, and what their tests share: `test-support.ts`. */
const isTest = (path: string) => /(?:\.test|\/test-support)\.ts$/.test(path);

const isReal = (path: string) =>
  REAL_PROCESS.some((real) => (real.endsWith('/') ? path.startsWith(real) : path === real));

const folderOf = (path: string) => /^src\/([^/]+)\//.exec(path)?.[1];

/** Calls `visit` for each import, export-from, dynamic import and import type of a file. */
function imports(visit: (node: Node, specifier: string) => void, onComputed: (node: Node) => void) {
  const check = (node: Node) => {
    if (!node.source) return;
    if (typeof node.source.value === 'string') visit(node, node.source.value);
    else onComputed(node);
  };
  return {
    ImportDeclaration: check,
    ExportNamedDeclaration: check,
    ExportAllDeclaration: check,
    ImportExpression: check,
    TSImportType: check,
  } satisfies Visitor;
}

function floors(context: Context): Visitor {
  const path = pathOf(context);
  const folder = folderOf(path);
  if (!path.startsWith('src/') || isTest(path)) return {};
  if (folder !== undefined && FLOORS[folder] === undefined) {
    return {
      Program: (node) => {
        const message = `src/${folder} has no floor: give it one in scripts/lint/architecture.ts`;
        context.report({ node, message });
      },
    };
  }
  const allowed = folder === undefined ? [] : (FLOORS[folder] ?? []);
  return imports(
    (node, specifier) => {
      if (specifier === 'cachectl' || specifier.startsWith('cachectl/')) {
        context.report({ node, message: 'the package does not import itself: use a path' });
      }
      if (!specifier.startsWith('.')) return;
      const target = posix.join(posix.dirname(path), specifier);
      const targetFolder = folderOf(target);
      if (!target.startsWith('src/')) {
        context.report({ node, message: `src imports nothing outside src (${target})` });
      } else if (isTest(target)) {
        context.report({ node, message: 'only tests import what is made for tests' });
      } else if (targetFolder !== undefined && targetFolder !== folder) {
        if (!allowed.includes(targetFolder)) {
          const may = allowed.length === 0 ? 'no other folder' : allowed.join(', ');
          const message = `src/${folder} may not import src/${targetFolder}; it may import ${may}`;
          context.report({ node, message });
        }
      }
    },
    (node) => {
      context.report({ node, message: 'an import names its module as a literal' });
    },
  );
}

function importProblem(path: string, node: Node, specifier: string): string | undefined {
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(path), specifier);
    return target.startsWith(REAL_RUNTIME)
      ? 'the real runtime is out of reach here: take a Runtime as an argument'
      : undefined;
  }
  if (!isBuiltin(specifier)) {
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    if (PURE_PACKAGES.includes(name)) return undefined;
    return `package ${name} is not known to be pure (scripts/lint/architecture.ts)`;
  }
  const module = specifier.startsWith('node:') ? specifier : `node:${specifier}`;
  const names = PURE_MODULES[module]?.names;
  if (names === 'all') return undefined;
  if (names === undefined) return `${module} touches the world: go through the Runtime`;
  const taken = node.type === 'ImportDeclaration' ? (node.specifiers ?? []) : undefined;
  if (taken === undefined || taken.length === 0)
    return `import names from ${module}, not all of it`;
  const refused = taken
    .map((part) => (part.type === 'ImportSpecifier' ? (part.imported?.name ?? '?') : '*'))
    .filter((name) => !names.includes(name));
  if (refused.length === 0) return undefined;
  return `${refused.join(', ')} of ${module} may touch the world: go through the Runtime`;
}

function memberProblem(identifier: Node, impure: readonly string[]): string | undefined {
  const use = identifier.parent;
  if (use?.type !== 'MemberExpression' || use.object !== identifier) {
    return use?.type.startsWith('TS')
      ? undefined
      : `${identifier.name} is used by its members only, so that these can be checked`;
  }
  const member = use.computed ? use.property?.value : use.property?.name;
  if (typeof member !== 'string') return `${identifier.name}[…] with a computed name`;
  if (!impure.includes(member)) return undefined;
  return `${identifier.name}.${member} touches the world: go through the Runtime`;
}

function seam(context: Context): Visitor {
  const path = pathOf(context);
  if (!path.startsWith('src/') || isTest(path) || isReal(path)) return {};
  const world = new Set(Object.getOwnPropertyNames(globalThis).filter((n) => !PURE_GLOBALS.has(n)));
  const checkGlobal = (identifier: Node) => {
    const name = identifier.name ?? '';
    const impure = IMPURE_MEMBERS[name];
    const problem =
      world.has(name) || name === 'require'
        ? `${name} touches the world: go through the Runtime`
        : impure && memberProblem(identifier, impure);
    if (problem) context.report({ node: identifier, message: problem });
  };
  return {
    ...imports(
      (node, specifier) => {
        const problem = importProblem(path, node, specifier);
        if (problem) context.report({ node, message: problem });
      },
      () => undefined,
    ),
    'Program:exit': () => {
      const scope = context.sourceCode.scopeManager.globalScope;
      if (!scope) return;
      for (const { identifier } of scope.through) checkGlobal(identifier);
      for (const variable of scope.variables) {
        if (variable.defs.length > 0) continue;
        for (const { identifier } of variable.references) checkGlobal(identifier);
      }
    },
  };
}

export default {
  meta: { name: 'architecture' },
  rules: { floors: { create: floors }, seam: { create: seam } },
};
