// The house rule of ARCHITECTURE.md, checked.
const pureFolders = '^shared/(errors|contracts|batching|metrics|decision|encoder)/';
// The trainer's rooms: each imports those before it, and none of them the files beside them.
const trainerRooms = [
  ...['options', 'data', 'runs', 'optimise', 'outliers', 'recipes', 'report'],
  ...['evaluate', 'context', 'heads', 'tags', 'distil', 'train', 'reproduce', 'jobs'],
];

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'services-are-islands',
      comment: 'Services depend on shared, never on each other.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'shared-below-services',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(services|test|bench)/' },
    },
    {
      name: 'pure-core-no-node',
      comment: 'Pure folders do no I/O.',
      severity: 'error',
      from: { path: pureFolders },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-core-no-npm',
      comment: 'Pure folders import no package; contracts may use zod.',
      severity: 'error',
      from: { path: pureFolders },
      to: { dependencyTypes: ['npm', 'npm-dev'], pathNot: 'node_modules/zod' },
    },
    {
      name: 'browser-loads-plain-modules',
      comment:
        'What browsers load is served as it is: it imports no package but for types, and nothing of Node.',
      severity: 'error',
      from: { path: '^(shared/client/|services/classifier/page/)' },
      to: {
        pathNot: '^(shared/client/|shared/errors/app-error|services/classifier/page/)',
        dependencyTypesNot: ['type-only'],
      },
    },
    ...trainerRooms.map((room, place) => ({
      name: `trainer-${room}-imports-rooms-before-it`,
      severity: 'error',
      from: { path: `^services/trainer/${room}/` },
      to: { path: `^services/trainer/((${trainerRooms.slice(place + 1).join('|') || '-'})/|[^/]+[.]ts$)` },
    })),
    {
      name: 'trainer-charts-and-markup-stand-alone',
      severity: 'error',
      from: { path: '^services/trainer/report/(charts|markup)/' },
      to: { path: '^services/trainer/report/[^/]+[.]ts$' },
    },
    {
      name: 'not-to-dev-dependency',
      severity: 'error',
      from: { path: '^(services|shared)/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: ['node_modules/@types/'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
