# dbsafe: see `make help`.
MODE ?= release
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= /usr/bin/python3
VERSION := 0.1.0

# Who may include whom (checked by check-layers).  A folder may also include itself.
DEPS_core :=
DEPS_aws := core
DEPS_db := core
DEPS_rows := archive db core
DEPS_archive := core
DEPS_s3 := aws core
DEPS_rds := aws core
DEPS_dump := rows archive db core
DEPS_restore := rows archive db core
DEPS_verify := rows archive db core
DEPS_recovery := dump restore verify rds rows archive db core
DEPS_cli := recovery dump restore verify rds s3 aws rows archive db core
FOLDERS := core aws db rows archive s3 rds dump restore verify recovery cli

PACKAGES := libmariadb libzstd libarchive openssl libxxhash jansson inih libcurl expat
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES))

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
ifeq ($(CI),true)
WARNINGS += -Werror
endif
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
FLAGS_release := -O2 -g $(HARDEN)
FLAGS_test := -O1 -g -DDBSAFE_FAULTS
FLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined -DDBSAFE_FAULTS
FLAGS_tsan := -O1 -g -fsanitize=thread -DDBSAFE_FAULTS
FLAGS_cov := -O0 -g --coverage -fprofile-update=atomic -DDBSAFE_FAULTS
LINK_release := -pie -Wl,-z,relro,-z,now
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
LINK_cov := --coverage
ifeq ($(FLAGS_$(MODE)),)
$(error MODE=$(MODE): use release, test, asan, tsan or cov)
endif

CPPFLAGS += -Isrc -D_GNU_SOURCE -DDBSAFE_VERSION='"$(VERSION)"'
ALL_CFLAGS = -std=c11 $(WARNINGS) $(FLAGS_$(MODE)) $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(LINK_$(MODE)) $(LDFLAGS)

OUT := build/$(MODE)
SOURCES := $(sort $(wildcard src/*/*.c))
LIB_OBJECTS := $(patsubst src/%.c,$(OUT)/obj/%.o,$(filter-out src/cli/main.c,$(SOURCES)))
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c tests/conform/test_*.c))
UNIT_TESTS := $(patsubst tests/%.c,$(OUT)/tests/%,$(UNIT_SOURCES))
# Programs that the end-to-end tests run besides dbsafe.
TOOL_SOURCES := $(sort $(wildcard tests/tools/*.c))
TEST_TOOLS := $(patsubst tests/%.c,$(OUT)/tests/%,$(TOOL_SOURCES))

.PHONY: all
all: build/dbsafe ## build build/dbsafe (MODE=release)

build/dbsafe: build/release/dbsafe
	cp $< $@

ifneq ($(MODE),release)
build/release/dbsafe: FORCE
	$(MAKE) MODE=release build/release/dbsafe
endif
.PHONY: FORCE
FORCE:

$(OUT)/dbsafe: $(OUT)/obj/cli/main.o $(OUT)/libdbsafe.a
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lpthread

$(OUT)/libdbsafe.a: $(LIB_OBJECTS)
	rm -f $@
	ar rcs $@ $^

# Rewritten when the flags change (CI adds -Werror), so that nothing built with others stays.
COMPILE := $(CC) $(CPPFLAGS) $(ALL_CFLAGS)
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(COMPILE))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(COMPILE))' >$@

$(OUT)/obj/%.o: src/%.c Makefile $(OUT)/flags
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

$(OUT)/tests/%: tests/%.c $(OUT)/libdbsafe.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) $(ALL_LDFLAGS) -MMD -MP -MF $@.d -o $@ $< $(OUT)/libdbsafe.a $(PKG_LIBS) -lcmocka -lpthread

-include $(wildcard $(OUT)/obj/*/*.d $(OUT)/tests/*/*.d $(OUT)/tests/*/*/*.d)

.PHONY: build
build: $(OUT)/dbsafe $(if $(filter-out release,$(MODE)),$(TEST_TOOLS)) ## build build/$(MODE)/dbsafe, and what its tests run besides

.PHONY: unit
unit: $(UNIT_TESTS) ## unit tests of the chosen MODE
	scripts/run-units $(UNIT_TESTS)

.PHONY: check-layers
check-layers: ## includes go only where the DEPS_ lists allow
	@DEPS="$(foreach f,$(FOLDERS),$(f)=$(subst $() ,:,$(DEPS_$(f))))" scripts/check-layers

.PHONY: check-headers
check-headers: ## every header compiles on its own
	@for h in src/*/*.h; do \
	  printf '#include "%s"\n' "$${h#src/}" | $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Werror -fsyntax-only -x c - || exit 1; done
	@echo "headers: $$(ls src/*/*.h | wc -l) stand alone"

.PHONY: format check-format
format: ## lay out the sources with clang-format
	clang-format -i src/*/*.[ch] $(UNIT_SOURCES) $(TOOL_SOURCES)
check-format:
	clang-format --dry-run -Werror src/*/*.[ch] $(UNIT_SOURCES) $(TOOL_SOURCES)

.PHONY: check check-full check-mysql demo bench coverage
check: ## every test with seeded samples (installs what is missing)
	scripts/check
check-full: ## full counts, sanitizers, valgrind, torture
	scripts/check --full
check-mysql: ## the round trip on another server program: MYSQLD=PATH
	@test -n "$(MYSQLD)" || { echo "say which: make check-mysql MYSQLD=/usr/sbin/mysqld" >&2; exit 2; }
	$(MAKE) MODE=test build
	DBSAFE_MYSQLD="$(MYSQLD)" $(PYTHON) tests/run.py --jobs 1 -v tests/mysql/test_mysql.py
demo: ## the whole story on a throw-away server
	scripts/demo
bench: ## speed against the stock tools (mariadb-dump, mariadb, aws, rclone), as ratios
	$(PYTHON) bench/bench.py
	$(PYTHON) bench/bench.py --only rollback --bytes 5G --rounds 1 --require
coverage: ## line coverage of src/ by the whole test suite
	scripts/coverage

.PHONY: install
install: build/dbsafe ## into $(DESTDIR)$(PREFIX)
	install -D -m 0755 build/dbsafe $(DESTDIR)$(PREFIX)/bin/dbsafe
	install -D -m 0644 docs/dbsafe.1 $(DESTDIR)$(PREFIX)/share/man/man1/dbsafe.1
	install -D -m 0644 docs/dbsafe-archive.5 $(DESTDIR)$(PREFIX)/share/man/man5/dbsafe-archive.5

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
