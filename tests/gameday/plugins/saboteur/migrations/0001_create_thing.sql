create table thing (id integer primary key);
insert into thing values (1);
