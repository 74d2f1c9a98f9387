import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Imports go one way (DESIGN.md §7): cli → client → (Temporal) → workflows → activities → control, copy → database. For each
 * folder of `src`, what it may not import at all, and of what it may know the types only. `workflows` means everything there
 * but `messages.ts` and `message-definitions.ts`, which are what crosses that border and are everybody's.
 */
const above = ['cli', 'client', 'worker', 'dev', 'workflows', 'import'];
const WALLS = {
  sql: { never: [...above, 'activities', 'control', 'copy'], typesOnly: ['config', 'database'] },
  config: { never: [...above, 'activities', 'control', 'copy', 'database'], typesOnly: [] },
  database: { never: [...above, 'activities', 'control', 'copy'], typesOnly: ['config'] },
  control: { never: [...above, 'activities', 'copy'], typesOnly: [] },
  copy: { never: [...above, 'activities'], typesOnly: [] },
  activities: { never: above, typesOnly: [] },
  worker: { never: ['cli', 'dev'], typesOnly: [] },
  client: { never: ['cli', 'worker', 'dev', 'workflows', 'activities', 'copy', 'import'], typesOnly: [] },
  import: { never: [...above, 'activities', 'control', 'copy', 'database'], typesOnly: [] },
  cli: { never: ['workflows', 'activities', 'copy'], typesOnly: [] },
  dev: {
    never: ['cli', 'client', 'worker', 'workflows', 'activities', 'control', 'copy', 'database', 'sql', 'config'],
    typesOnly: [],
  },
};

/** Matches `../<folder>/…` at any depth. */
const into = (folder) =>
  String.raw`^(\.\./)+${folder === 'workflows' ? String.raw`workflows/(?!messages\.ts$|message-definitions\.ts$)` : `${folder}/`}`;

const walls = Object.entries(WALLS).map(([folder, { never, typesOnly }]) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          ...never.map((other) => ({
            regex: into(other),
            message: `Imports go one way (DESIGN.md §7): src/${folder} does not know src/${other}.`,
          })),
          ...typesOnly.map((other) => ({
            regex: into(other),
            allowTypeImports: true,
            message: `src/${folder} may know the types of src/${other}, not its code: use "import type".`,
          })),
        ],
      },
    ],
  },
}));

/** The workflows' sandbox has no Node, no database, no clock: what is not replayed the same must not be reachable. */
const sandbox = {
  files: ['src/workflows/**/*.ts'],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: String.raw`^(?!@temporalio/(workflow|common)$|\./|\.\./activities/)`,
            message: 'Workflows run in a sandbox: @temporalio/workflow, @temporalio/common and each other only.',
          },
          {
            regex: String.raw`^\.\./activities/`,
            allowTypeImports: true,
            message: 'Workflows know the types of activities, never their code: use "import type".',
          },
        ],
      },
    ],
  },
};

/** In what MySQL and MariaDB differ is a fact with a name (src/database/mysql/flavour-facts.ts): nothing else goes by which one a server is. */
const flavours = {
  files: ['src/database/mysql/**/*.ts'],
  ignores: ['src/database/mysql/flavour-facts.ts', 'src/database/mysql/server-facts.ts'],
  rules: {
    'no-restricted-syntax': [
      'error',
      ...[
        ':matches(BinaryExpression, SwitchStatement) > :matches(Identifier[name="flavour"], MemberExpression[property.name="flavour"])',
        ':matches(BinaryExpression, SwitchCase) > Literal[value=/^(MySQL|MariaDB)$/]',
        'MemberExpression[computed=true] > .property:matches([name="flavour"], [property.name="flavour"])',
        'MemberExpression[property.name="version"]:matches([object.name="server"], [object.property.name="server"])',
        'ObjectPattern > Property[key.name="version"]',
      ].map((selector) => ({
        selector,
        message: 'Go by what the server does: a fact of flavour-facts.ts, not its name or version.',
      })),
    ],
  },
};

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', '.waybill/', 'node_modules/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      eqeqeq: 'error',
      // A file that outgrows this asks for a reason (STYLE.md): say it where you disable the rule.
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
    },
  },
  ...walls,
  sandbox,
  flavours,
  {
    files: ['test/**/*.ts'],
    rules: {
      // A test file holds many cases of one thing; cutting it by length would scatter them.
      'max-lines': 'off',
    },
  },
);
