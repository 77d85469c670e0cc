// tests/collection/repair_test.cpp — a damaged collection is made into one that verifies clean, holds every record that
// was not destroyed, and names those that were; the damaged one stays as it is.
#include "damage_fixture.hpp"

#include "kith/collection/backup.hpp"
#include "kith/collection/repair.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include <cerrno>
#include <functional>
#include <set>
#include <stop_token>

using kith::Collection;
using kith::Errc;
using kith::RepairReport;
using kith_test::all_bytes;
using kith_test::article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileCall;
using kith_test::FileFaults;
using kith_test::fixture_articles;
using kith_test::fixture_version;
using kith_test::flipped;
using kith_test::listed;
using kith_test::make_fixture;
using kith_test::Raised;
using kith_test::raised;
using kith_test::restore;
using kith_test::set_bytes;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

const std::string rows_0 = "segments/0000000000/embedding.rows";
const std::string graph_0 = "segments/0000000000/embedding.graph";
const std::string keys_0 = "segments/0000000000/keys";
const std::string forward = "forward/data.mdb";

std::string newest_log(const fs::path& path) {
    std::string found;
    for (const auto& entry : fs::directory_iterator(path / "log")) {
        if (fs::file_size(entry.path()) > 40) found = std::max(found, fs::relative(entry.path(), path).string());
    }
    return found;
}

bool lacks_graph(const fs::path& path) {
    for (const auto& entry : fs::directory_iterator(path / "segments")) {
        if (!fs::exists(entry.path() / "embedding.graph")) return true;
    }
    return false;
}

/// The repaired collection holds the fixture without `lost`, and of each record what was written.
void expect_fixture_without(const fs::path& path, const std::set<std::string>& lost, int batches = 3) {
    const Collection<Articles> collection(path);
    const int end = 300 + 10 * batches;
    for (int number = 0; number < fixture_articles; ++number) {
        const std::string key = "article-" + std::to_string(number);
        const bool expected = fixture_version(number).has_value() && number < end && lost.count('\'' + key + '\'') == 0;
        const auto found = collection.get(key);
        CAPTURE(key);
        REQUIRE(found.has_value() == expected);
        if (expected) {
            REQUIRE(found->embedding == article(number, *fixture_version(number)).embedding);
            REQUIRE(found->year == article(number, *fixture_version(number)).year);
        }
    }
}

std::set<std::string> keys_of(const RepairReport& report) {
    std::set<std::string> keys;
    for (const kith::LostRecord& lost : report.lost_records) keys.insert(lost.key);
    return keys;
}

}  // namespace

TEST_CASE("A repair keeps every record that was not destroyed, and leaves the damaged collection as it was") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const auto whole = all_bytes(path);
    const std::string log = newest_log(path);
    struct Row {
        std::string file;
        std::function<std::string(std::string)> change;  // null: the file is removed
        std::size_t least_lost;                          // records
        std::size_t most_lost;
        int batches;  // of the log that are kept
    };
    const auto flip_at = [](std::size_t at) { return [at](std::string bytes) { return flipped(bytes, at); }; };
    const auto flip_back = [](std::size_t at) {
        return [at](std::string bytes) { return flipped(bytes, bytes.size() - at); };
    };
    const auto keep = [](std::size_t percent) {
        return [percent](std::string bytes) { return bytes.substr(0, bytes.size() * percent / 100); };
    };
    const std::vector<Row> rows{
        {"IDENTITY", flip_at(30), 0, 0, 3},
        {log, flip_at(10), 0, 0, 3},           // the header, which can be made again
        {log, flip_at(60), 0, 0, 0},           // the first of three batches
        {log, flip_at(44), 0, 0, 0},           //
        {"log", nullptr, 0, 0, 0},             //
        {forward, flip_at(16), 0, 0, 3},       // one meta page
        {forward, flip_at(4112), 0, 0, 3},     // the other
        {forward, flip_at(145), 0, 0, 3},      // its transaction number
        {rows_0, flip_at(5000), 200, 200, 3},  // a vector, and with it the only block
        {rows_0, flip_at(50), 0, 0, 3},        // the header: the table proves the vectors
        {rows_0, flip_back(2), 0, 0, 3},       // the table: the header proves it
        {rows_0, keep(60), 1, 120, 3},         //
        {rows_0, keep(0), 170, 200, 3},        //
        {rows_0, nullptr, 170, 200, 3},        //
        {graph_0, flip_at(5000), 0, 0, 3},     //
        {graph_0, keep(50), 0, 0, 3},          //
        {keys_0, flip_at(5000), 0, 0, 3},      //
        {keys_0, nullptr, 0, 0, 3},            //
        {"segments/0000000000", nullptr, 170, 200, 3},
    };
    const fs::path to = directory / "repaired";
    for (const Row& row : rows) {
        restore(path, whole);
        if (row.change == nullptr) {
            fs::remove_all(path / row.file);
        } else {
            set_bytes(path / row.file, row.change(whole.at(row.file)));
        }
        const auto before = all_bytes(path);
        CAPTURE(row.file, row.batches);
        const RepairReport report = kith::repair(path, {.destination = to});
        INFO(listed(report.before));
        INFO(listed(report.after));
        CHECK_FALSE(report.before.clean());
        CHECK(report.after.clean());
        CHECK(report.repaired == to);
        CHECK(report.lost_records.size() <= row.most_lost);
        if (row.least_lost < 200) CHECK(report.lost_records.size() >= row.least_lost);
        CHECK(report.lost_batches.empty() == (row.batches == 3 || row.file == "log"));
        CHECK(all_bytes(path) == before);
        CHECK(kith::verify(to).clean());
        expect_fixture_without(to, keys_of(report), row.batches);
        fs::remove_all(to);
    }
}

TEST_CASE("Any single bit of the environment that flips costs at most the row it stands in") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const std::string whole = kith_test::bytes_of(path / forward);
    const fs::path to = directory / "repaired";
    kith::SplitMix64 random(7);
    int damaged = 0;
    for (int trial = 0; trial < 60; ++trial) {
        const std::size_t at = random() % whole.size();
        set_bytes(path / forward, flipped(whole, at, 1U << (random() % 8)));
        CAPTURE(trial, at);
        const RepairReport report = kith::repair(path, {.destination = to});
        INFO(listed(report.before));
        if (report.before.clean()) {
            CHECK(report.repaired.empty());
            expect_fixture_without(path, {});
            continue;
        }
        ++damaged;
        INFO(listed(report.after));
        CHECK(report.after.clean());
        CHECK(report.lost_records.size() <= 1);
        expect_fixture_without(to, keys_of(report));
        fs::remove_all(to);
    }
    CHECK(damaged > 10);
}

TEST_CASE("Any page of the environment that is overwritten costs at most the rows it held") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const std::string whole = kith_test::bytes_of(path / forward);
    const fs::path to = directory / "repaired";
    for (std::size_t page = 0; page < whole.size() / 4096; ++page) {
        std::string bytes = whole;
        bytes.replace(page * 4096, 4096, std::string(4096, static_cast<char>(0x5a)));
        set_bytes(path / forward, bytes);
        CAPTURE(page);
        const RepairReport report = kith::repair(path, {.destination = to});
        INFO(listed(report.before));
        if (report.before.clean()) {
            expect_fixture_without(path, {});
            continue;
        }
        INFO(listed(report.after));
        CHECK(report.after.clean());
        CHECK(report.lost_records.size() <= 60);
        expect_fixture_without(to, keys_of(report));
        fs::remove_all(to);
    }
}

TEST_CASE("A log that is damaged in the middle is kept up to there, and the rest is named") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const std::string log = newest_log(path);
    const std::string bytes = kith_test::bytes_of(path / log);
    const std::size_t second = bytes.size() / 2;  // within the second of three batches of equal length, nearly
    set_bytes(path / log, flipped(bytes, second));
    const RepairReport report = kith::repair(path, {.destination = directory / "repaired"});
    CHECK(report.after.clean());
    CHECK(report.after.logged_batches == 1);
    REQUIRE(report.lost_batches.size() == 2);
    CHECK(report.lost_batches[0].first == 15);
    CHECK(report.lost_batches[0].last == 15);
    CHECK_FALSE(report.lost_batches[0].readable);
    CHECK(report.lost_batches[0].file == (path / log).string());
    CHECK(report.lost_batches[0].offset < second);
    CHECK(report.lost_batches[0].offset + report.lost_batches[0].bytes > second);
    CHECK(report.lost_batches[1].first == 16);
    CHECK(report.lost_batches[1].last == 16);
    CHECK(report.lost_batches[1].readable);
    expect_fixture_without(directory / "repaired", {}, 1);
    Collection<Articles> collection(directory / "repaired");
    collection.insert(articles(500, 20));
    collection.checkpoint();
    collection.close();
    CHECK(kith::verify(directory / "repaired").clean());
}

TEST_CASE("In place, the damaged collection is kept beside the repaired one, with every byte") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    for (int round = 1; round <= 2; ++round) {
        const std::string bytes = kith_test::bytes_of(path / forward);
        set_bytes(path / forward, flipped(bytes, 16));
        const auto before = all_bytes(path);
        const RepairReport report = kith::repair(path, {.in_place = true});
        CHECK(report.repaired == path);
        CHECK(report.kept == path.string() + ".damaged-" + std::to_string(round));
        CHECK(report.after.clean());
        CHECK(all_bytes(report.kept) == before);
        expect_fixture_without(path, {});
    }
}

TEST_CASE("A repair in place whose renames are not synced leaves the damaged collection where it was") {
    if (!FileFaults::work()) return;
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    set_bytes(path / forward, flipped(kith_test::bytes_of(path / forward), 16));
    int syncs = 0;
    {
        const FileFaults counted(FileCall::sync, FileFaults::every_later_one, EIO);
        kith::repair(path, {.destination = directory / "repaired"});
        syncs = FileFaults::calls(FileCall::sync);  // the last one is that of its rename
    }
    const auto before = all_bytes(directory.path());
    for (const int nth : {syncs, syncs + 1}) {
        const FileFaults fault(FileCall::sync, nth, EIO);
        CHECK(raised([&] { kith::repair(path, {.in_place = true}); }).code == Errc::io);
        CHECK(all_bytes(directory.path()) == before);
    }
    CHECK(kith::repair(path, {.in_place = true}).after.clean());
}

TEST_CASE("What a backup has is taken from it") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    kith::backup(path, directory / "backup");
    // A backup shares its bytes with the collection here; on another disk it would not.
    restore(directory / "backup", all_bytes(directory / "backup"));
    fs::remove(path / "IDENTITY");
    set_bytes(path / rows_0, "");
    fs::remove(path / graph_0);
    CHECK(raised([&] { kith::repair(path, {.destination = directory / "repaired"}); }).says("Name a backup"));
    CHECK_FALSE(fs::exists(directory / "repaired.tmp"));
    const RepairReport report =
        kith::repair(path, {.destination = directory / "repaired", .backup = directory / "backup"});
    INFO(listed(report.after));
    CHECK(report.after.clean());
    CHECK(report.lost_records.empty());
    CHECK_FALSE(lacks_graph(directory / "repaired"));
    expect_fixture_without(directory / "repaired", {});
    Collection<Articles>(directory / "stranger").close();
    CHECK(raised([&] {
              kith::repair(path, {.destination = directory / "other", .backup = directory / "stranger"});
          }).says("backup of another collection"));
}

TEST_CASE("A repair that may not be made changes nothing") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const RepairReport nothing = kith::repair(path, {.destination = directory / "repaired"});
    CHECK(nothing.before.clean());
    CHECK(nothing.repaired.empty());
    CHECK(nothing.done.empty());
    CHECK_FALSE(fs::exists(directory / "repaired"));
    {
        const Collection<Articles> open(path);
        CHECK(raised([&] { kith::repair(path, {.in_place = true}); }).code == Errc::locked);
    }
    set_bytes(path / forward, flipped(kith_test::bytes_of(path / forward), 16));
    const auto before = all_bytes(directory.path());
    CHECK(raised([&] { kith::repair(path, {}); }).code == Errc::invalid_argument);
    CHECK(raised([&] { kith::repair(path, {.destination = directory / "x", .in_place = true}); }).code ==
          Errc::invalid_argument);
    CHECK(raised([&] { kith::repair(path, {.destination = path}); }).code == Errc::already_exists);
    CHECK(raised([&] { kith::repair(directory / "absent", {.destination = directory / "x"}); }).code ==
          Errc::not_found);
    std::stop_source stopped;
    kith::LongCall call;
    call.stop = stopped.get_token();
    double seen = 0;
    call.progress = [&](double done) {
        CHECK(done >= seen);
        seen = done;
        if (done >= 0.8) stopped.request_stop();
    };
    CHECK(raised([&] { kith::repair(path, {.destination = directory / "x"}, call); }).code == Errc::cancelled);
    CHECK(seen >= 0.8);
    CHECK(all_bytes(directory.path()) == before);
}

TEST_CASE("A segment whose graph is missing opens, answers exactly, and is made anew") {
    const FileFaults quick = FileFaults::no_syncs();
    const auto ask = [](const Collection<Articles>& collection) {
        std::vector<std::string> found;
        for (int number = 0; number < 20; ++number) {
            const auto query = article(3 * number).embedding;
            const auto exact = collection.nearest<&kith_test::Article::embedding>(query).limit(10).exact().run();
            for (const auto& hit : exact) found.push_back(hit.record.id);
            const auto near = collection.nearest<&kith_test::Article::embedding>(query).limit(10).run();
            REQUIRE(near.size() == exact.size());
            CHECK(near[0].record.id == exact[0].record.id);
        }
        return found;
    };
    for (const std::size_t cache_bytes : {std::size_t{0}, std::size_t{1} << 22}) {
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        make_fixture(path);
        const std::vector<std::string> before = ask(Collection<Articles>(path));
        fs::remove(path / graph_0);
        kith::Options options;
        options.cache_bytes = cache_bytes;
        options.maintenance = kith::Maintenance::on_call;
        Collection<Articles> collection(path, options);
        CHECK(ask(collection) == before);
        CHECK(collection.stats().segments[0].linked == 0);
        collection.compact();
        for (const kith::SegmentStats& segment : collection.stats().segments) {
            CHECK(segment.linked == segment.records + segment.deleted);
        }
        CHECK(ask(collection) == before);
        collection.upsert(articles(0, 5, 2));
        collection.checkpoint();
        collection.close();
        CHECK(kith::verify(path).clean());
    }
}
