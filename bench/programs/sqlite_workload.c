// SPDX-License-Identifier: Apache-2.0
// sqlite_workload.c - a database in memory: load, index, join, aggregate, update, text search.
//
// Real code with real shapes: parser, planner, byte code, b-trees. Prints every query's result in
// short, so that a run under a tracer can be compared byte for byte with a bare one.
// usage: sqlite_workload [rounds]     (default 10)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"
#include "sqlite3.h"

static void check(sqlite3* db, int status) {
  if (status == SQLITE_OK || status == SQLITE_DONE || status == SQLITE_ROW) return;
  fprintf(stderr, "sqlite_workload: %s\n", sqlite3_errmsg(db));
  exit(1);
}

static void execute(sqlite3* db, const char* sql) {
  check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static sqlite3_stmt* prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = NULL;
  check(db, sqlite3_prepare_v2(db, sql, -1, &statement, NULL));
  return statement;
}

// Runs a query and prints rows, columns and a checksum of all texts.
static void print_query(sqlite3* db, const char* name, const char* sql) {
  sqlite3_stmt* statement = prepare(db, sql);
  uint64_t hash = 1469598103934665603u;
  long rows = 0;
  int status;
  while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
    ++rows;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const unsigned char* text = sqlite3_column_text(statement, i);
      for (; text != NULL && *text != 0; ++text) hash = (hash ^ *text) * 1099511628211u;
    }
  }
  check(db, status);
  printf("%s: %ld rows, %016llx\n", name, rows, (unsigned long long)hash);
  sqlite3_finalize(statement);
}

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static void load(sqlite3* db, uint64_t* random, int first, int count) {
  static const char* const kCities[] = {"Athens", "Berlin", "Cairo", "Delhi", "Lima", "Oslo"};
  execute(db, "BEGIN");
  sqlite3_stmt* person = prepare(db, "INSERT INTO person VALUES(?1, ?2, ?3, ?4)");
  sqlite3_stmt* sale = prepare(db, "INSERT INTO sale(person, amount, note) VALUES(?1, ?2, ?3)");
  for (int id = first; id < first + count; ++id) {
    char name[64];
    snprintf(name, sizeof name, "name %llu", (unsigned long long)(next_random(random) % 100000));
    sqlite3_bind_int(person, 1, id);
    sqlite3_bind_text(person, 2, name, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(person, 3, kCities[next_random(random) % 6], -1, SQLITE_STATIC);
    sqlite3_bind_int(person, 4, (int)(next_random(random) % 80));
    check(db, sqlite3_step(person));
    sqlite3_reset(person);
    for (int i = 0; i < 3; ++i) {
      sqlite3_bind_int(sale, 1, (int)(next_random(random) % (uint64_t)(id + 1)));
      sqlite3_bind_double(sale, 2, (double)(next_random(random) % 100000) / 100);
      sqlite3_bind_text(sale, 3, name, -1, SQLITE_TRANSIENT);
      check(db, sqlite3_step(sale));
      sqlite3_reset(sale);
    }
  }
  sqlite3_finalize(person);
  sqlite3_finalize(sale);
  execute(db, "COMMIT");
}

static void query(sqlite3* db) {
  print_query(db, "by city",
              "SELECT city, count(*), avg(age), group_concat(DISTINCT age) FROM person"
              " GROUP BY city ORDER BY city");
  print_query(db, "join",
              "SELECT p.name, sum(s.amount) AS total FROM person p JOIN sale s ON s.person = p.id"
              " GROUP BY p.id HAVING total > 500 ORDER BY total DESC, p.id LIMIT 200");
  print_query(db, "like", "SELECT count(*) FROM sale WHERE note LIKE '%99%' OR note GLOB '*123*'");
  print_query(db, "window",
              "SELECT id, rank() OVER (PARTITION BY city ORDER BY age DESC, id) AS r FROM person"
              " ORDER BY r, id LIMIT 100");
  print_query(db, "recursive",
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
              " SELECT sum(i * i % 7), max(printf('%05d', i)) FROM n");
  print_query(db, "range",
              "SELECT p.city, max(s.amount) FROM sale s, person p"
              " WHERE s.amount BETWEEN 100 AND 300 AND p.id = s.person GROUP BY 1 ORDER BY 1");
}

int main(int argc, char** argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 10;
  sqlite3* db = NULL;
  uint64_t random = 88172645463325252u;
  bench_begin();
  if (sqlite3_open(":memory:", &db) != SQLITE_OK) return 1;
  execute(db,
          "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, city TEXT, age INT);"
          "CREATE TABLE sale(id INTEGER PRIMARY KEY, person INT, amount REAL, note TEXT);"
          "CREATE INDEX person_city ON person(city, age);"
          "CREATE INDEX sale_person ON sale(person);"
          "CREATE INDEX sale_amount ON sale(amount);");
  for (int round = 0; round < rounds; ++round) {
    load(db, &random, round * 3000, 3000);
    query(db);
    execute(db, "UPDATE person SET age = age + 1 WHERE id % 7 = 0");
    execute(db, "DELETE FROM sale WHERE id % 11 = 0 AND amount < 50");
  }
  print_query(db, "integrity", "PRAGMA integrity_check");
  sqlite3_close(db);
  bench_end();
  return 0;
}
