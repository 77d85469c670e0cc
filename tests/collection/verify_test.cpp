// tests/collection/verify_test.cpp — a sound collection verifies clean, and each damage is named for what it is.
#include "damage_fixture.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

using kith::Collection;
using kith::DamageKind;
using kith::Errc;
using kith::Loss;
using kith::VerifyReport;
using kith_test::all_bytes;
using kith_test::article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::bytes_of;
using kith_test::FileFaults;
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

fs::path newest_log_with_records(const fs::path& path) {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path / "log")) {
        if (fs::file_size(entry.path()) > 40) found = std::max(found, entry.path());
    }
    return found;
}

}  // namespace

TEST_CASE("A sound collection verifies clean, and the report counts what it holds") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const auto before = all_bytes(path);
    const VerifyReport report = kith::verify(path);
    INFO(listed(report));
    CHECK(report.clean());
    CHECK(report.remarks.empty());
    CHECK_FALSE(report.torn_tail.has_value());
    CHECK(report.writer.empty());
    CHECK(report.records == 290);
    CHECK(report.logged_batches == 3);
    CHECK(report.last_sequence == 16);
    std::uint64_t bytes = 0;
    for (const auto& [name, content] : before)
        bytes += name == "LOCK" || name == "forward/lock.mdb" ? 0 : content.size();
    CHECK(report.bytes == bytes);
    CHECK(all_bytes(path) == before);
    CHECK(kith::verify(path, {.depth = kith::VerifyDepth::quick}).clean());
}

TEST_CASE("Every number of records, in every number of commits, verifies clean") {
    const FileFaults quick = FileFaults::no_syncs();
    for (const int count : {0, 1, 2, 17, 100, 1500}) {
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        Collection<Articles>(path).close();
        CHECK(kith::verify(path).clean());
        for (int round = 0; round < 6; ++round) {
            Collection<Articles> collection(path);
            collection.upsert(articles(0, count, round));
            collection.insert(articles(10'000 * (round + 1), count / 2));
            for (int number = 0; number < count / 5; ++number) {
                collection.erase("article-" + std::to_string(10'000 * (round + 1) + number));
            }
            if (round % 3 != 2) collection.checkpoint();
            collection.close();
            const VerifyReport report = kith::verify(path);
            CAPTURE(count, round);
            INFO(listed(report));
            CHECK(report.clean());
        }
    }
}

TEST_CASE("A damaged, cut or missing file is named, and nothing else is") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const auto whole = all_bytes(path);
    const std::string log = fs::relative(newest_log_with_records(path), path).string();
    struct Row {
        std::string file;
        std::function<std::string(std::string)> change;  // null: the file is removed
        DamageKind kind;
        Loss loss;
        std::string words;
    };
    const auto flip_at = [](std::size_t at) { return [at](std::string bytes) { return flipped(bytes, at); }; };
    const auto half = [](std::string bytes) { return bytes.substr(0, bytes.size() / 2); };
    const auto empty = [](std::string) { return std::string(); };
    const std::vector<Row> rows{
        {"IDENTITY", flip_at(30), DamageKind::identity, Loss::derived, "checksum"},
        {"IDENTITY", half, DamageKind::identity, Loss::derived, "bytes should follow"},
        {"IDENTITY", empty, DamageKind::identity, Loss::derived, "it is empty"},
        {"IDENTITY", nullptr, DamageKind::missing_file, Loss::derived, "missing"},
        {log, flip_at(10), DamageKind::log, Loss::derived, "its header"},
        {log, flip_at(60), DamageKind::log, Loss::records, "no right record"},
        {log, empty, DamageKind::log, Loss::records, "ends inside its header"},
        {"log", nullptr, DamageKind::missing_file, Loss::records, "the folder is missing"},
        {"forward/data.mdb", flip_at(16), DamageKind::forward, Loss::derived, "a meta page does not begin"},
        {"forward/data.mdb", flip_at(4096 + 16), DamageKind::forward, Loss::derived, "a meta page does not begin"},
        {"forward/data.mdb", empty, DamageKind::forward, Loss::derived, "ends inside a meta page"},
        {"forward/data.mdb", nullptr, DamageKind::missing_file, Loss::records, "the file is missing"},
        {"segments/0000000000/embedding.rows", flip_at(5000), DamageKind::segment_rows, Loss::records, "checksum"},
        {"segments/0000000000/embedding.rows", flip_at(50), DamageKind::segment_rows, Loss::records, "header"},
        {"segments/0000000001/embedding.rows", half, DamageKind::segment_rows, Loss::records, "embedding.rows"},
        {"segments/0000000001/embedding.rows", empty, DamageKind::segment_rows, Loss::records, "ends inside"},
        {"segments/0000000001/embedding.rows", nullptr, DamageKind::missing_file, Loss::records, "missing"},
        {"segments/0000000000/embedding.graph", flip_at(5000), DamageKind::segment_graph, Loss::derived, "checksum"},
        {"segments/0000000000/embedding.graph", half, DamageKind::segment_graph, Loss::derived, "embedding.graph"},
        {"segments/0000000000/keys", flip_at(5000), DamageKind::segment_keys, Loss::derived, "checksum"},
        {"segments/0000000000/keys", half, DamageKind::segment_keys, Loss::derived, "keys"},
        {"segments/0000000001/keys", nullptr, DamageKind::missing_file, Loss::derived, "missing"},
        {"segments/0000000001", nullptr, DamageKind::missing_file, Loss::records, "the folder is missing"},
        {"segments", nullptr, DamageKind::missing_file, Loss::records, "the folder is missing"},
    };
    for (const Row& row : rows) {
        restore(path, whole);
        if (row.change == nullptr) {
            fs::remove_all(path / row.file);
        } else {
            set_bytes(path / row.file, row.change(whole.at(row.file)));
        }
        const auto before = all_bytes(path);
        const VerifyReport report = kith::verify(path);
        CAPTURE(row.file, row.words);
        INFO(listed(report));
        CHECK_FALSE(report.clean());
        for (const kith::Damage& damage : report.damages) {
            if (damage.kind == DamageKind::state || row.file == "forward/data.mdb") continue;
            CHECK(damage.kind == row.kind);
            CHECK(damage.loss == row.loss);
            CHECK(damage.file.find(row.file) != std::string::npos);
        }
        CHECK(std::any_of(report.damages.begin(), report.damages.end(), [&](const kith::Damage& damage) {
            return damage.kind == row.kind && damage.what.find(row.words) != std::string::npos;
        }));
        CHECK(all_bytes(path) == before);
    }
}

TEST_CASE("A damaged value is named by its table and key, with the record that is lost") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const auto file = path / "forward" / "data.mdb";
    const std::string whole = bytes_of(file);
    const auto expect = [&](const std::string& stored, auto&& where, DamageKind kind, Loss loss,
                            const std::string& what, const std::string& consequence) {
        std::string damaged = whole;
        for (std::size_t at = whole.find(stored); at != std::string::npos; at = whole.find(stored, at + 1)) {
            damaged = flipped(damaged, where(at));
        }
        set_bytes(file, damaged);
        const VerifyReport report = kith::verify(path);
        INFO(listed(report));
        REQUIRE(report.damages.size() == 1);
        CHECK(report.damages[0].kind == kind);
        CHECK(report.damages[0].loss == loss);
        CHECK(report.damages[0].file == file.string());
        CHECK(report.damages[0].what.find(what) != std::string::npos);
        CHECK(report.damages[0].consequence.find(consequence) != std::string::npos);
    };
    const auto there = [](std::size_t at) { return at; };
    expect("title 77, version 0", there, DamageKind::rows, Loss::records, "its checksum is wrong", "'article-77'");
    const std::string key = std::string("\x0a\0", 2) + "article-77";  // an LMDB node: the length of its key, the key
    expect(
        key, [&](std::size_t at) { return at + key.size(); }, DamageKind::keys, Loss::derived,
        "key 'article-77': its checksum is wrong", "made again");
    const std::string state = std::string("\x0a\0", 2) + "checkpoint";
    expect(
        state, [&](std::size_t at) { return at + state.size() + 7; }, DamageKind::state, Loss::derived,
        "state 'checkpoint': its checksum is wrong", "told again");
    // The bitmap of the first of two segments; behind it stand 13 bytes of the second one's and a checksum.
    expect(
        state,
        [&](std::size_t at) {
            const auto value_bytes =
                static_cast<unsigned char>(whole[at - 6]) + 256U * static_cast<unsigned char>(whole[at - 5]);
            return at + state.size() + value_bytes - 4 - 13 - 1;
        },
        DamageKind::delete_bitmap, Loss::derived, "delete bitmap", "told again");
}

TEST_CASE("What a writer that was stopped left is remarked, and no damage") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    fs::create_directories(path / "segments" / "0000000007");
    fs::create_directories(path / "segments" / "0000000008.tmp");
    set_bytes(path / "log" / "00000000000000000099.log.tmp", "half");
    fs::create_directories(path / "forward" / "data.mdb.compact.tmp");
    fs::remove(path / "segments" / "0000000000" / "embedding.graph");
    const fs::path log = newest_log_with_records(path);
    const std::string bytes = bytes_of(log);
    set_bytes(log, bytes.substr(0, bytes.size() - 7));
    const VerifyReport report = kith::verify(path);
    INFO(listed(report));
    CHECK(report.clean());
    CHECK(report.remarks.size() == 5);
    REQUIRE(report.torn_tail.has_value());
    CHECK(report.torn_tail->file == log.string());
    CHECK(report.logged_batches == 2);
}

TEST_CASE("Beside a writer that seals and merges, a sound collection verifies clean", "[threads]") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> collection(path);
    collection.insert(articles(0, 100));
    std::atomic<bool> enough = false;
    std::thread writer([&] {
        for (int round = 0; !enough; ++round) {
            collection.upsert(articles(20 * (round % 10), 40, round));
            if (round % 3 == 0) collection.checkpoint();
        }
    });
    for (int look = 0; look < 15; ++look) {
        const VerifyReport report = kith::verify(path);
        INFO(listed(report));
        CHECK(report.clean());
        CHECK(report.writer.find("this process") != std::string::npos);
        CHECK(report.records <= 240);
    }
    enough = true;
    writer.join();
    collection.close();
    CHECK(kith::verify(path).clean());
}

TEST_CASE("Damage is found beside a writer, too") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    make_fixture(path);
    const Collection<Articles> open(path);
    const auto file = path / "segments" / "0000000000" / "embedding.rows";
    set_bytes(file, flipped(bytes_of(file), 5000));  // the open collection keeps the file it mapped
    const VerifyReport report = kith::verify(path);
    REQUIRE(report.damages.size() == 1);
    CHECK(report.damages[0].kind == DamageKind::segment_rows);
    CHECK_FALSE(report.writer.empty());
}

TEST_CASE("What is no collection, or was stopped, raises and says so") {
    const TemporaryDirectory directory;
    CHECK(raised([&] { static_cast<void>(kith::verify(directory / "absent")); }).code == Errc::not_found);
    CHECK(raised([&] { static_cast<void>(kith::verify(directory.path())); }).code == Errc::not_a_collection);
    Collection<Articles>(directory / "articles.kith").close();
    std::stop_source stopped;
    stopped.request_stop();
    kith::LongCall call;
    call.stop = stopped.get_token();
    CHECK(raised([&] { static_cast<void>(kith::verify(directory / "articles.kith", {}, call)); }).code ==
          Errc::cancelled);
}
