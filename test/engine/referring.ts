/**
 * A load that writes rows which refer to others of their table, higher and lower ones, wide enough for several ranges of pages; and to
 * those of a second table, which refer to them.
 *
 * @param check whether they stay: its SQL gives 0
 * @param more SQL for the warehouse
 * @param yaml text added to the load's file
 */
export const REFERRING = (check: string, more = '', yaml = '') => ({
  files: {
    'loads/core/node.yaml': `
kind: core
connection: warehouse
inputs: [ { table: acq.node, external: true } ]
stages: [ { name: nodes, sql: node.sql }, { name: leaves, sql: leaf.sql } ]
outputs: [ core.node, core.leaf ]
checks: [ { name: no, sql: "${check}", expect: 0 } ]
${yaml}`,
    'loads/core/node.sql': `
insert into core.node (id, pad, batch_id) select n.id, repeat('x', 7000), :batch_id from {{ acq.node }} n;
update core.node set parent = mod(id * 7919, 1500) + 1 where batch_id = :batch_id`,
    'loads/core/leaf.sql': `
insert into core.leaf (id, node, batch_id) select n.id, n.id, :batch_id from {{ acq.node }} n where n.id <= 10;
update core.node set leaf = 11 - id where batch_id = :batch_id and id <= 10`,
  },
  warehouse: `
    create schema acq; create schema core;
    create table acq.node (id bigint primary key);
    create table core.node (id bigint primary key, parent bigint, leaf bigint, pad text, batch_id bigint not null);
    create table core.leaf (id bigint primary key, node bigint not null, batch_id bigint not null);
    create index node_by_parent on core.node (parent); create index node_by_leaf on core.node (leaf);
    create index leaf_by_node on core.leaf (node);
    alter table core.node add constraint node_parent foreign key (parent) references core.node (id);
    alter table core.node add constraint node_leaf foreign key (leaf) references core.leaf (id);
    alter table core.leaf add constraint leaf_node foreign key (node) references core.node (id);
    insert into acq.node select g from generate_series(1, 1500) g;
    ${more}`,
  own: { postgres: 'alter table core.node alter column pad set storage plain', mysql: 'do 0' },
});
