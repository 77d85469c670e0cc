// tests/collection/refresh_test.cpp — a reader shows what its writer acknowledged, moment by moment, each one whole.
#include "article.hpp"
#include "settings.hpp"

#include "kith/storage/log_format.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/file_system_type.hpp"
#include "support/other_process.hpp"
#include "support/raised.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith::Options;
using kith_test::Article;
using kith_test::article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileFaults;
using kith_test::FileSystemType;
using kith_test::on_call;
using kith_test::OtherProcess;
using kith_test::raised;
using kith_test::TemporaryDirectory;
using kith_test::to_read;

namespace {

namespace fs = std::filesystem;

using Oracle = std::map<std::string, Article>;

/// Whether `shown`, a collection or a snapshot, holds these records and no others, by every way of asking.
template <class Shown>
void expect(const Shown& shown, const Oracle& oracle) {
    REQUIRE(shown.size() == oracle.size());
    Oracle found;
    for (const Article& one : shown.records()) found.emplace(one.id, one);
    REQUIRE(found == oracle);
    for (const auto& [id, one] : oracle) REQUIRE(shown.get(id) == one);
    REQUIRE_FALSE(shown.contains("article-none"));
    for (int number = 0; number < 3 && !oracle.empty(); ++number) {
        const Article& wanted = std::next(oracle.begin(), number % static_cast<int>(oracle.size()))->second;
        const auto hits = shown.template nearest<&Article::embedding>(wanted.embedding).limit(1).exact().run();
        REQUIRE(hits.size() == 1);
        REQUIRE(hits[0].record == wanted);
    }
}

/// What a reader let go of may be held a moment longer by the thread that links its records.
void compact_until_nothing_is_retired(Collection<Articles>& writer) {
    for (int wait = 0; wait < 10'000; ++wait) {
        writer.compact();
        if (writer.stats().retired_bytes == 0) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL("segments that nobody holds are still there");
}

Oracle oracle_of(const std::vector<Article>& records) {
    Oracle oracle;
    for (const Article& one : records) oracle.emplace(one.id, one);
    return oracle;
}

}  // namespace

TEST_CASE("A reader shows what was acknowledged when it refreshes, and nothing later before it does so again") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path, on_call());
    writer.insert(articles(0, 10));
    Collection<Articles> reader(path, to_read());
    expect(reader, oracle_of(articles(0, 10)));
    CHECK_FALSE(reader.refresh());
    CHECK_FALSE(writer.refresh());

    writer.insert(articles(10, 5));
    expect(reader, oracle_of(articles(0, 10)));
    CHECK(reader.refresh());
    CHECK_FALSE(reader.refresh());
    expect(reader, oracle_of(articles(0, 15)));

    Oracle oracle = oracle_of(articles(0, 15));
    writer.upsert(articles(3, 4, 1));
    for (const Article& one : articles(3, 4, 1)) oracle[one.id] = one;
    writer.erase("article-9");
    oracle.erase("article-9");
    CHECK(reader.refresh());
    expect(reader, oracle);
    writer.insert(article(9, 2));
    oracle.emplace("article-9", article(9, 2));
    CHECK(reader.refresh());
    expect(reader, oracle);
}

TEST_CASE("Writer and reader say how far they are") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "articles.kith";
    {
        Collection<Articles> writer(path, on_call());
        CHECK(writer.stats().last_sequence == 0);
        for (int number = 0; number < 3; ++number) writer.insert(article(number));
        Collection<Articles> reader(path, to_read());
        CHECK(reader.stats().last_sequence == 3);
        writer.insert(article(3));
        CHECK(writer.stats().last_sequence == 4);
        CHECK(reader.stats().last_sequence == 3);
        writer.checkpoint();
        reader.refresh();
        CHECK(reader.stats().last_sequence == 4);
        writer.insert(article(4));
        reader.refresh();
        CHECK(reader.stats().last_sequence == 5);
    }
    CHECK(Collection<Articles>(path).stats().last_sequence == 5);
    CHECK(Collection<Articles>(kith::in_memory).stats().last_sequence == 0);
}

TEST_CASE("A checkpoint and a merge change nothing that a reader shows, before and after it follows") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path, on_call());
    Collection<Articles> reader(path, to_read());
    Oracle oracle;
    for (int round = 0; round < 4; ++round) {
        writer.upsert(articles(10 * round, 20, round));
        for (const Article& one : articles(10 * round, 20, round)) oracle[one.id] = one;
        CHECK(reader.refresh());
        expect(reader, oracle);
        writer.checkpoint();
        expect(reader, oracle);
        CHECK(reader.refresh());
        expect(reader, oracle);
        CHECK(reader.stats().segments.size() == static_cast<std::size_t>(round) + 1);
        CHECK_FALSE(reader.refresh());
    }
    writer.upsert(articles(0, 5, 9));  // only in the log
    for (const Article& one : articles(0, 5, 9)) oracle[one.id] = one;
    CHECK(reader.refresh());
    writer.compact();
    expect(reader, oracle);
    CHECK(reader.refresh());
    expect(reader, oracle);
    CHECK(reader.stats().segments.size() == writer.stats().segments.size());
}

TEST_CASE("A snapshot of a reader keeps its moment, and its segments from being removed, while the writer merges") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path, on_call());
    writer.insert(articles(0, 50));
    writer.checkpoint();
    writer.insert(articles(50, 50));
    writer.checkpoint();
    writer.insert(articles(100, 7));
    Collection<Articles> reader(path, to_read());
    std::optional<kith::Snapshot<Articles>> held(reader.snapshot());
    for (int number = 0; number < 100; number += 2) writer.erase("article-" + std::to_string(number));
    writer.compact();
    CHECK(writer.stats().retired_bytes > 0);
    expect(*held, oracle_of(articles(0, 107)));
    expect(reader, oracle_of(articles(0, 107)));
    CHECK(reader.refresh());
    CHECK(reader.size() == 57);
    writer.compact();
    CHECK(writer.stats().retired_bytes > 0);
    expect(*held, oracle_of(articles(0, 107)));
    held.reset();
    compact_until_nothing_is_retired(writer);
    CHECK(std::distance(fs::directory_iterator(path / "segments"), {}) == 1);
    CHECK(reader.size() == 57);
    CHECK(reader.get("article-51") == article(51));
}

TEST_CASE("A writer that opens leaves what a reader of the writer before still holds, and removes it later") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    std::optional<Collection<Articles>> writer(std::in_place, path, on_call());
    writer->insert(articles(0, 50));
    writer->checkpoint();
    writer->insert(articles(50, 50));
    writer->checkpoint();
    Collection<Articles> reader(path, to_read());
    writer->compact();
    writer->close();
    writer.reset();
    writer.emplace(path, on_call());
    CHECK(writer->recovery().removed_files.empty());
    CHECK(writer->stats().retired_bytes > 0);
    expect(reader, oracle_of(articles(0, 100)));
    writer->insert(articles(100, 10));
    writer->checkpoint();
    expect(reader, oracle_of(articles(0, 100)));
    CHECK(reader.refresh());
    expect(reader, oracle_of(articles(0, 110)));
    writer->compact();
    CHECK(reader.refresh());
    compact_until_nothing_is_retired(*writer);
    expect(*writer, oracle_of(articles(0, 110)));
}

TEST_CASE("Readers agree with a map over random writes, checkpoints and merges, however rarely they look") {
    const FileFaults quick = FileFaults::no_syncs();
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        kith::SplitMix64 random(seed);
        Options options = on_call();
        options.segment_capacity = 40;
        auto writer = std::make_unique<Collection<Articles>>(path, options);
        Collection<Articles> often(path, to_read());
        Collection<Articles> rarely(path, to_read());
        Oracle oracle;
        for (int step = 0; step < 150; ++step) {
            std::vector<Article> batch;
            for (std::uint64_t count = random() % 8; count > 0; --count) {
                const Article one = article(static_cast<int>(random() % 90), step);
                if (std::none_of(batch.begin(), batch.end(), [&](const Article& b) { return b.id == one.id; })) {
                    batch.push_back(one);
                }
            }
            writer->upsert(batch);
            for (const Article& one : batch) oracle[one.id] = one;
            if (random() % 3 == 0) {
                const std::string id = "article-" + std::to_string(random() % 90);
                writer->erase(id);
                oracle.erase(id);
            }
            if (random() % 12 == 0) writer->checkpoint();
            if (random() % 25 == 0) writer->compact();
            if (random() % 40 == 0) {
                writer.reset();
                writer = std::make_unique<Collection<Articles>>(path, options);
            }
            often.refresh();
            expect(often, oracle);
            if (random() % 20 != 0) continue;
            rarely.refresh();
            expect(rarely, oracle);
            expect(Collection<Articles>(path, to_read()), oracle);
        }
    }
}

TEST_CASE("A reader that follows by itself comes to what was written", "[threads]") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path);
    Options options = to_read();
    options.follow = std::chrono::milliseconds(1);
    const Collection<Articles> reader(path, options);
    for (int batch = 0; batch < 20; ++batch) {
        writer.insert(articles(batch * 10, 10));
        if (batch % 7 == 6) writer.checkpoint();
        for (int wait = 0; wait < 10'000 && reader.size() != writer.size(); ++wait) {
            REQUIRE(reader.size() % 10 == 0);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        REQUIRE(reader.size() == writer.size());
    }
    CHECK(reader.stats().trouble.empty());
    expect(reader, oracle_of(articles(0, 200)));
}

TEST_CASE("Options of readers are checked") {
    const TemporaryDirectory directory;
    Options options;
    options.follow = std::chrono::milliseconds(5);
    const auto open = [&] { const Collection<Articles> collection(directory / "articles.kith", options); };
    CHECK(raised(open).says("Options::follow is for OpenMode::read_only"));
    options = to_read();
    options.follow = std::chrono::milliseconds(-1);
    CHECK(raised(open).says("Options::follow is -1 ms"));
    options.follow = std::chrono::hours(25);
    CHECK(raised(open).code == Errc::invalid_argument);
    CHECK(fs::is_empty(directory.path()));
    Collection<Articles> in_memory(kith::in_memory);
    CHECK_FALSE(in_memory.refresh());
}

TEST_CASE("One directory opened many times in a process is one collection, by whatever path and in whatever order") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles>(path).insert(articles(0, 5));
    }
    fs::create_directory_symlink(path, directory / "link.kith");
    Collection<Articles> first(path, to_read());
    Collection<Articles> second(directory / "link.kith", to_read());
    Collection<Articles> writer(directory / "link.kith");
    Collection<Articles> third(path, to_read());
    const kith_test::Raised refused = raised([&] { const Collection<Articles> other(path); });
    CHECK(refused.code == Errc::locked);
    CHECK(refused.says("open for writing by this process, " + std::to_string(::getpid())));
    writer.insert(articles(5, 5));
    writer.checkpoint();
    for (Collection<Articles>* const reader : {&first, &second, &third}) {
        CHECK(reader->refresh());
        expect(*reader, oracle_of(articles(0, 10)));
    }
    first.close();
    CHECK(raised([&] { first.refresh(); }).code == Errc::closed);
    writer.insert(articles(10, 5));
    writer.close();
    CHECK(second.refresh());
    expect(second, oracle_of(articles(0, 15)));
    Collection<Articles> again(path);
    again.insert(articles(15, 5));
    CHECK(third.refresh());
    expect(third, oracle_of(articles(0, 20)));
}

TEST_CASE("A reader that its process took along in a fork says so, and one opened after it works") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path, on_call());
    writer.insert(articles(0, 20));
    writer.checkpoint();
    Collection<Articles> reader(path, to_read());
    OtherProcess child([&](OtherProcess::Line&) {
        if (raised([&] { reader.refresh(); }).code != Errc::forked) return 1;
        if (raised([&] { static_cast<void>(reader.size()); }).code != Errc::forked) return 2;
        if (raised([&] { writer.insert(article(50)); }).code != Errc::forked) return 3;
        if (raised([&] { const Collection<Articles> second(path); }).code != Errc::locked) return 4;
        Collection<Articles> own(path, to_read());
        own.refresh();
        return own.size() == 20 && own.get("article-7") == article(7) ? 0 : 5;
    });
    CHECK(child.wait() == 0);
    writer.insert(articles(20, 5));
    CHECK(reader.refresh());
    expect(reader, oracle_of(articles(0, 25)));
}

TEST_CASE("A reader that may write nothing reads alone: never beside a writer, who is told why") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles>(path).insert(articles(0, 20));
    }
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        fs::permissions(entry.path(), entry.is_directory() ? fs::perms(0555) : fs::perms(0444));
    }
    fs::permissions(path, fs::perms(0555));
    const auto as_nobody = [](const auto& act) {
        return [&act](OtherProcess::Line& line) {
            if (::geteuid() == 0 && ::setuid(65534) != 0) return 0;
            return act(line);
        };
    };
    const auto read = [&](OtherProcess::Line& line) {
        Collection<Articles> reader(path, to_read());
        line.report();
        line.wait_for_stop();
        return reader.size() == 20 && reader.get("article-7") == article(7) && !reader.refresh() ? 0 : 1;
    };
    OtherProcess reader(as_nobody(read));
    reader.await_report();
    if (::geteuid() == 0) {
        const kith_test::Raised refused = raised([&] { const Collection<Articles> writer(path); });
        CHECK(refused.code == Errc::locked);
        CHECK(refused.says("is open for reading by another process"));
    }
    CHECK(reader.stop() == 0);
    if (::geteuid() == 0) {
        const Collection<Articles> writer(path);
        const auto refuse = [&](OtherProcess::Line&) {
            const kith_test::Raised trouble = raised([&] { const Collection<Articles> second(path, to_read()); });
            const bool told = trouble.says("open for writing by process") && trouble.says("forward/lock.mdb");
            return trouble.code == Errc::locked && told ? 0 : 1;
        };
        OtherProcess refused(as_nobody(refuse));
        CHECK(refused.wait() == 0);
    }
    fs::permissions(path, fs::perms(0755));
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
        fs::permissions(entry.path(), entry.is_directory() ? fs::perms(0755) : fs::perms(0644));
    }
}

TEST_CASE("Damage under a reader is an error, and it stays at what it showed") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Collection<Articles> writer(path, on_call());
    writer.insert(articles(0, 10));
    Collection<Articles> reader(path, to_read());
    writer.insert(articles(10, 10));
    fs::path log;
    for (const auto& entry : fs::directory_iterator(path / "log")) {
        if (log.empty() || entry.path() > log) log = entry.path();
    }
    fs::resize_file(log, kith::detail::log_header_bytes);
    const kith_test::Raised trouble = raised([&] { reader.refresh(); });
    CHECK(trouble.code == Errc::corrupt);
    CHECK(trouble.says(log.filename().string()));
    expect(reader, oracle_of(articles(0, 10)));
    // A checkpoint holds what the log has lost.
    writer.checkpoint();
    CHECK(reader.refresh());
    expect(reader, oracle_of(articles(0, 20)));
    writer.insert(article(30));
    CHECK(reader.refresh());
    CHECK(reader.size() == 21);
}

TEST_CASE("A collection on a network file system is refused, unless the options allow it") {
    if (!FileSystemType::works()) return;
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options;
    const auto open = [&] { const Collection<Articles> collection(path, options); };
    {
        const FileSystemType network(0x6969);
        CHECK(raised(open).code == Errc::unsupported_file_system);
        CHECK(raised(open).says(path.string() + " lies on a file system (NFS) whose"));
        CHECK(fs::is_empty(directory.path()));
        options.allow_network_filesystem = true;
        CHECK_FALSE(raised(open).code.has_value());
        options.allow_network_filesystem = false;
        CHECK(raised(open).code == Errc::unsupported_file_system);
    }
    CHECK_FALSE(raised(open).code.has_value());
}
