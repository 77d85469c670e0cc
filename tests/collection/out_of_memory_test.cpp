// tests/collection/out_of_memory_test.cpp — each allocation failed in turn: the call raises, and nothing has happened.
#include "article.hpp"

#include "kith/collection/verify.hpp"
#include "kith/query.hpp"

#include "support/allocation_faults.hpp"
#include "support/catch.hpp"
#include "support/file_faults.hpp"

#include <cerrno>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith_test::AllocationFaults;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::TemporaryDirectory;
using kith_test::Whose;

namespace {

namespace fs = std::filesystem;

enum class Outcome : std::uint8_t { done, out_of_memory, other };

/// What came of `act` while the allocation number `first`, or it and all later ones, fail.
Outcome outcome_of(std::size_t first, std::size_t count, const std::function<void()>& act) {
    try {
        const AllocationFaults faults(first, count);
        act();
        return Outcome::done;
    } catch (const std::bad_alloc&) {
        return Outcome::out_of_memory;
    } catch (const kith::Error& error) {
        if (error.code() == Errc::out_of_memory) return Outcome::out_of_memory;
        UNSCOPED_INFO(kith::name(error.code()) << ": " << error.what());
    } catch (const std::exception& error) {
        UNSCOPED_INFO(error.what());
    }
    return Outcome::other;
}

/// What is wrong with a collection that holds the articles below `count` with these versions.
std::string difference(const Collection<Articles>& collection, int count, int version_of_7, bool has_9) {
    if (collection.size() != static_cast<std::size_t>(count) - (has_9 ? 0 : 1)) {
        return "holds " + std::to_string(collection.size());
    }
    for (int number = 0; number < count; ++number) {
        const auto found = collection.get("article-" + std::to_string(number));
        if (number == 9 && !has_9 && !found.has_value()) continue;
        if (found != article(number, number == 7 ? version_of_7 : 0)) return "article " + std::to_string(number);
    }
    return "";
}

/// Which allocations fail: each of them, or from the hundredth on one in some.
enum class Sweep : std::uint8_t { each, leaping };

std::size_t next_step(std::size_t number, Sweep sweep) {
    return sweep == Sweep::each || number < 100 ? number + 1 : number + number / 12;
}

/// The first thing that is wrong with the files of a closed collection.
std::string damage_in(const fs::path& path) {
    const kith::VerifyReport report = kith::verify(path, {.depth = kith::VerifyDepth::quick});
    return report.clean() ? "" : report.damages.front().file + ": " + report.damages.front().what;
}

/// What the process has open.
std::multiset<std::string> open_files() {
    std::multiset<std::string> files;
    std::error_code gone;
    if (!fs::is_directory("/proc/self/fd")) return files;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
        const std::string file = fs::read_symlink(entry.path(), gone).string();
        if (file.find("kith") != std::string::npos) files.insert(file.substr(file.find("kith")));
    }
    return files;
}

using Store = std::unique_ptr<Collection<Articles>>;

/// 30 articles in a segment and 10 in the log; nothing is sealed or merged behind the caller's back, nor mended.
Store made_in(const fs::path& path) {
    kith::Options options;
    options.maintenance = kith::Maintenance::on_call;
    auto store = std::make_unique<Collection<Articles>>(path, options);
    store->insert(articles(0, 30));
    store->checkpoint();
    store->insert(articles(30, 10));
    store->link();
    return store;
}

struct Call {
    const char* name;
    std::function<void(Collection<Articles>&)> act;
    int count, version_of_7;  // afterwards
    bool has_9;
};

const std::vector<Call> calls{
    {"insert", [](Collection<Articles>& store) { store.insert(articles(40, 3)); }, 43, 0, true},
    {"upsert", [](Collection<Articles>& store) { store.upsert(article(7, 1)); }, 40, 1, true},
    {"update", [](Collection<Articles>& store) { store.update("article-7", [](Article& a) { a = article(7, 2); }); },
     40, 2, true},
    {"erase", [](Collection<Articles>& store) { store.erase("article-9"); }, 40, 0, false},
    {"checkpoint", [](Collection<Articles>& store) { store.checkpoint(); }, 40, 0, true},
    {"compact", [](Collection<Articles>& store) { store.compact(); }, 40, 0, true},
    {"link", [](Collection<Articles>& store) { store.link(); }, 40, 0, true},
    {"reads",
     [](Collection<Articles>& store) {
         static_cast<void>(store.get("article-3"));
         static_cast<void>(store.get("article-33"));
         static_cast<void>(store.contains("nothing"));
         for (const Article& record : store.records()) static_cast<void>(record);
     },
     40, 0, true},
    {"searches",
     [](Collection<Articles>& store) {
         const auto query = article(5).embedding;
         static_cast<void>(store.nearest<&Article::embedding>(query).limit(5).run());
         static_cast<void>(store.nearest<&Article::embedding>(query).limit(5).exact().run());
         static_cast<void>(
             store.nearest<&Article::embedding>(query).limit(5).where(kith::field<&Article::year> > 1990).run());
         static_cast<void>(store.nearest_many<&Article::embedding>(std::vector{query, query}).limit(5).run());
     },
     40, 0, true},
};

/// The call raises, has changed nothing, and the collection goes on.
void fail_allocations_of(const Call& call, Sweep sweep) {
    for (const std::size_t width : {std::size_t{1}, AllocationFaults::every_later_one}) {
        int raised = 0;
        for (std::size_t number = 1;; number = next_step(number, sweep)) {
            const TemporaryDirectory directory;
            const fs::path path = directory / "articles.kith";
            Store store = made_in(path);
            const Outcome outcome = outcome_of(number, width, [&] { call.act(*store); });
            const bool struck = AllocationFaults::struck();
            CAPTURE(call.name, number, width);
            REQUIRE(outcome != Outcome::other);
            raised += outcome == Outcome::out_of_memory ? 1 : 0;
            bool done = outcome == Outcome::done;
            const auto wrong = [&](int version) {
                return done ? difference(*store, call.count, version, call.has_9)
                            : difference(*store, 40, version, true);
            };
            REQUIRE(wrong(done ? call.version_of_7 : 0) == "");
            // Whether it is tried again, or something else comes next.
            if (!done && number % 2 == 1) {
                call.act(*store);
                done = true;
                REQUIRE(wrong(call.version_of_7) == "");
            }
            store->upsert(article(7, 5));
            store->checkpoint();
            REQUIRE(wrong(5) == "");
            store = nullptr;
            REQUIRE(damage_in(path) == "");
            store = std::make_unique<Collection<Articles>>(path);
            REQUIRE(wrong(5) == "");
            if (!struck) break;
        }
        CHECK((raised > 0 || std::string(call.name) == "link"));
    }
}

}  // namespace

TEST_CASE("Where an allocation of a call fails, it raises, has changed nothing, and the collection goes on") {
    const FileFaults quick = FileFaults::no_syncs();
    const Call& call = calls[GENERATE(range(std::size_t{0}, std::size_t{9}))];
    DYNAMIC_SECTION(call.name) {
        fail_allocations_of(call, Sweep::leaping);
    }
    CHECK(open_files() == std::multiset<std::string>());
}

TEST_CASE("Whichever allocation of a call fails, it raises, has changed nothing, and the collection goes on",
          "[slow]") {
    const FileFaults quick = FileFaults::no_syncs();
    const Call& call = calls[GENERATE(range(std::size_t{0}, std::size_t{9}))];
    DYNAMIC_SECTION(call.name) {
        fail_allocations_of(call, Sweep::each);
    }
    CHECK(open_files() == std::multiset<std::string>());
}

TEST_CASE(
    "Whichever allocation of a call fails in memory, it raises, has changed nothing, and the collection goes on") {
    kith::Options options;
    options.maintenance = kith::Maintenance::on_call;
    options.segment_capacity = 15;  // so that there is something to merge
    const Call& call = calls[GENERATE(range(std::size_t{0}, std::size_t{6}))];
    DYNAMIC_SECTION(call.name) {
        for (const std::size_t width : {std::size_t{1}, AllocationFaults::every_later_one}) {
            for (std::size_t number = 1;; ++number) {
                Collection<Articles> store(kith::in_memory, options);
                store.insert(articles(0, 40));
                store.erase("article-3");
                store.insert(article(3));
                store.link();
                const Outcome outcome = outcome_of(number, width, [&] { call.act(store); });
                const bool struck = AllocationFaults::struck();
                CAPTURE(call.name, number, width);
                REQUIRE(outcome != Outcome::other);
                if (outcome == Outcome::out_of_memory) {
                    REQUIRE(difference(store, 40, 0, true) == "");
                    call.act(store);
                }
                REQUIRE(difference(store, call.count, call.version_of_7, call.has_9) == "");
                store.upsert(article(7, 5));
                store.compact();
                REQUIRE(difference(store, call.count, 5, call.has_9) == "");
                if (!struck) break;
            }
        }
    }
}

TEST_CASE("Whichever allocation of a refresh() fails, it raises, and the next one shows what the writer has") {
    const FileFaults quick = FileFaults::no_syncs();
    kith::Options to_read;
    to_read.mode = kith::OpenMode::read_only;
    const bool checkpoints = GENERATE(false, true);  // afterwards there is another base, or only more of the log
    for (const std::size_t width : {std::size_t{1}, AllocationFaults::every_later_one}) {
        int raised = 0;
        for (std::size_t number = 1;; ++number) {
            const TemporaryDirectory directory;
            const Store writer = made_in(directory / "articles.kith");
            Collection<Articles> reader(directory / "articles.kith", to_read);
            writer->upsert(article(7, 1));
            if (checkpoints) writer->checkpoint();
            writer->insert(articles(40, 3));
            const Outcome outcome = outcome_of(number, width, [&] { reader.refresh(); });
            const bool struck = AllocationFaults::struck();
            CAPTURE(checkpoints, number, width);
            REQUIRE(outcome != Outcome::other);
            raised += outcome == Outcome::out_of_memory ? 1 : 0;
            // What it shows is whole: before, after, or in between where the log was read in part.
            const auto shows = [&](int count, int version) { return difference(reader, count, version, true).empty(); };
            REQUIRE((shows(40, 0) || shows(40, 1) || shows(43, 1)));
            writer->insert(articles(43, 2));
            reader.refresh();
            REQUIRE(difference(reader, 45, 1, true) == "");
            if (!struck) break;
        }
        CHECK(raised > 0);
    }
    CHECK(open_files() == std::multiset<std::string>());
}

TEST_CASE("Whichever allocation of an open, a creation or a close fails, it raises, and the next one succeeds") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path filled = directory / "filled.kith";
    made_in(filled)->close();
    for (const std::size_t width : {std::size_t{1}, AllocationFaults::every_later_one}) {
        for (const fs::path& path : {filled, directory / "new.kith"}) {
            for (std::size_t number = 1;; ++number) {
                if (path != filled) fs::remove_all(path);
                Store store;
                const Outcome opened =
                    outcome_of(number, width, [&] { store = std::make_unique<Collection<Articles>>(path); });
                const bool struck = AllocationFaults::struck();
                CAPTURE(path.filename().string(), number, width);
                REQUIRE(opened != Outcome::other);
                REQUIRE((opened == Outcome::done) == (store != nullptr));
                store = nullptr;
                const Collection<Articles> again(path);
                if (path == filled) REQUIRE(difference(again, 40, 0, true) == "");
                if (!struck) break;
            }
        }
        // What it made aside goes when memory is to be had for that.
        if (width == 1) CHECK(std::distance(fs::directory_iterator(directory.path()), {}) == 2);
    }
    for (std::size_t number = 1;; ++number) {
        Store store = std::make_unique<Collection<Articles>>(filled);
        const Outcome closed = outcome_of(number, 1, [&] { store->close(); });
        const bool struck = AllocationFaults::struck();
        CHECK(closed != Outcome::other);
        store = nullptr;
        CHECK(difference(Collection<Articles>(filled), 40, 0, true) == "");
        if (!struck) break;
    }
    CHECK(open_files() == std::multiset<std::string>());
}

TEST_CASE("Whichever allocation behind the caller's back fails, nothing is lost and every search is whole") {
    const FileFaults quick = FileFaults::no_syncs();
    for (std::size_t number = 1; number < 400; number += number < 40 ? 1 : 23) {
        const TemporaryDirectory directory;
        kith::Options options;
        options.log_bytes = 3000;
        options.index_threads = 2;
        {
            Collection<Articles> collection(directory / "articles.kith", options);
            const AllocationFaults faults(number, AllocationFaults::every_later_one, Whose::other_threads);
            for (int batch = 0; batch < 10; ++batch) collection.insert(articles(10 * batch, 10));
            REQUIRE(difference(collection, 100, 0, true) == "");
            const auto hits = collection.nearest<&Article::embedding>(article(55).embedding).limit(100).run();
            REQUIRE(hits.size() == 100);
            REQUIRE(hits.front().record == article(55));
        }
        REQUIRE(difference(Collection<Articles>(directory / "articles.kith"), 100, 0, true) == "");
    }
    CHECK(open_files() == std::multiset<std::string>());
}

TEST_CASE("Whichever allocation fails beside a failing disk, the reason why records cannot be sealed is told") {
    kith::Options options;
    options.memory_bytes = 1;  // the second batch waits until the first is sealed, or cannot be
    for (std::size_t number = 1;; ++number) {
        const TemporaryDirectory directory;
        Collection<Articles> collection(directory / "articles.kith", options);
        const FileFaults no_new_names(FileCall::rename, 1, EIO, FileFaults::every_later_one);
        const AllocationFaults faults(number, 1, Whose::other_threads);
        collection.insert(articles(0, 9));
        CAPTURE(number);
        std::optional<Errc> refused;
        std::string text;
        try {
            collection.insert(articles(9, 1));
        } catch (const kith::Error& error) {
            refused = error.code();
            text = error.what();
        }
        REQUIRE(refused == Errc::limit_exceeded);
        REQUIRE((text.find("cannot be sealed: /") != std::string::npos || text.find("bad_alloc") != std::string::npos ||
                 text.find("out of memory") != std::string::npos));
        REQUIRE(difference(collection, 9, 0, true) == "");
        if (!AllocationFaults::struck()) break;
    }
}
