// tests/collection/durability_test.cpp — what is there after a close, a crash, a full disk and a damaged log.
#include "article.hpp"

#include "kith/storage/log_format.hpp"

#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

using kith::Collection;
using kith::Durability;
using kith::Errc;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

/// The newest file of the log that holds a record.
fs::path last_log(const fs::path& collection) {
    fs::path last;
    for (const auto& entry : fs::directory_iterator(collection / "log")) {
        if (entry.path().extension() == ".log" && (last.empty() || entry.path() > last)) last = entry.path();
    }
    return last;
}

/// Runs `act` in a child process that then dies without closing anything.
void in_a_process_that_dies(const std::function<void()>& act) {
    const ::pid_t child = ::fork();
    if (child == 0) {
        try {
            act();
        } catch (...) {
            ::_exit(1);
        }
        ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

void expect(const Collection<Articles>& collection, int first, int count, int version = 0) {
    for (int number = first; number < first + count; ++number) {
        REQUIRE(collection.get("article-" + std::to_string(number)) == article(number, version));
    }
}

}  // namespace

TEST_CASE("What was written is there after a close, sealed or not, and so is every search") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    const auto ask = [&](const Collection<Articles>& collection) {
        std::vector<std::string> found;
        for (const auto& hit : collection.nearest<&Article::embedding>(article(7).embedding).limit(50).exact().run()) {
            found.push_back(hit.record.id);
        }
        return found;
    };
    std::vector<std::string> before;
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 200));
        collection.checkpoint();
        collection.upsert(articles(100, 200, 1));
        for (int number = 50; number < 60; ++number) collection.erase("article-" + std::to_string(number));
        before = ask(collection);
    }
    for (int round = 0; round < 3; ++round) {
        Collection<Articles> collection(path);
        CHECK(collection.size() == 290);
        expect(collection, 0, 50);
        expect(collection, 60, 40);
        expect(collection, 100, 200, 1);
        CHECK_FALSE(collection.contains("article-55"));
        CHECK(ask(collection) == before);
        CHECK(collection.recovery().replayed_batches == (round == 0 ? 11 : round == 1 ? 11 : 0));
        CHECK_FALSE(collection.recovery().torn_tail.has_value());
        if (round == 1) collection.checkpoint();
    }
}

TEST_CASE("A process that dies loses nothing at any durability level") {
    for (const Durability durability :
         {Durability::each_commit(), Durability::interval(std::chrono::milliseconds(5)), Durability::on_checkpoint()}) {
        const TemporaryDirectory directory;
        const auto path = directory / "articles.kith";
        in_a_process_that_dies([&] {
            Options options;
            options.durability = durability;
            Collection<Articles> collection(path, options);
            collection.insert(articles(0, 30));
            collection.checkpoint();
            collection.upsert(articles(20, 20, 1));
            collection.erase("article-5");
        });
        const Collection<Articles> collection(path);
        CHECK(collection.size() == 39);
        expect(collection, 6, 14);
        expect(collection, 20, 20, 1);
        CHECK(collection.recovery().replayed_batches == 2);
        CHECK(collection.recovery().replayed_operations == 21);
    }
}

TEST_CASE("The interval level syncs on its own") {
    const TemporaryDirectory directory;
    Options options;
    options.durability = Durability::interval(std::chrono::milliseconds(1));
    Collection<Articles> collection(directory / "articles.kith", options);
    for (int number = 0; number < 50; ++number) {
        collection.insert(article(number));
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    collection.close();
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 50);
}

TEST_CASE("The log cut at every byte gives a prefix of the batches, is mended, and goes on") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    in_a_process_that_dies([&] {
        Collection<Articles> collection(path);
        for (int batch = 0; batch < 4; ++batch) collection.insert(articles(2 * batch, 2));
    });
    const fs::path log = last_log(path);
    const std::string whole = kith_test::bytes_of(log);
    const auto copy = directory / "copy.kith";
    const std::size_t log_header_bytes = kith::detail::log_header_bytes;
    std::size_t largest = 0;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        fs::remove_all(copy);
        fs::copy(path, copy, fs::copy_options::recursive);
        kith_test::set_bytes(copy / "log" / log.filename(), whole.substr(0, size));
        std::size_t count = 0;
        // The header was on the disk before the first record was acknowledged, so without it something is wrong.
        if (size < log_header_bytes) {
            try {
                const Collection<Articles> collection(copy);
                FAIL("a log without its header was opened");
            } catch (const kith::Error& error) {
                REQUIRE(error.code() == Errc::corrupt);
                REQUIRE(std::string(error.what()).find(log.filename().string()) != std::string::npos);
            }
            continue;
        }
        {
            Collection<Articles> collection(copy);
            count = collection.size();
            REQUIRE(count % 2 == 0);
            REQUIRE(count >= largest);
            largest = count;
            expect(collection, 0, static_cast<int>(count));
            REQUIRE(collection.recovery().replayed_batches == count / 2);
            collection.insert(article(1000));
        }
        const Collection<Articles> again(copy);
        REQUIRE(again.size() == count + 1);
        expect(again, 0, static_cast<int>(count));
        expect(again, 1000, 1);
        REQUIRE_FALSE(again.recovery().torn_tail.has_value());
    }
    CHECK(largest == 8);
}

TEST_CASE("The log flipped at every byte gives a reported prefix, or an error that names file and offset") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    in_a_process_that_dies([&] {
        Collection<Articles> collection(path);
        for (int batch = 0; batch < 4; ++batch) collection.insert(articles(2 * batch, 2));
    });
    const fs::path log = last_log(path);
    const std::string whole = kith_test::bytes_of(log);
    const auto copy = directory / "copy.kith";
    std::size_t errors = 0;
    std::size_t prefixes = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        fs::remove_all(copy);
        fs::copy(path, copy, fs::copy_options::recursive);
        std::string flipped = whole;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << (at % 8)));
        kith_test::set_bytes(copy / "log" / log.filename(), flipped);
        try {
            Collection<Articles> collection(copy);
            const std::size_t count = collection.size();
            REQUIRE(count < 8);
            REQUIRE(count % 2 == 0);
            expect(collection, 0, static_cast<int>(count));
            REQUIRE(collection.recovery().torn_tail.has_value());
            REQUIRE(collection.recovery().torn_tail->file.find(log.filename().string()) != std::string::npos);
            ++prefixes;
            collection.insert(article(1000));
            collection.close();
            REQUIRE(Collection<Articles>(copy).size() == count + 1);
        } catch (const kith::Error& error) {
            const std::string text = error.what();
            INFO(text);
            REQUIRE((error.code() == Errc::corrupt || error.code() == Errc::unsupported_version));
            REQUIRE(text.find(".log") != std::string::npos);
            REQUIRE(kith_test::bytes_of(copy / "log" / log.filename()) == flipped);
            ++errors;
        }
    }
    CHECK(errors > prefixes);
    CHECK(errors + prefixes == whole.size());
}

TEST_CASE("A segment file flipped anywhere is refused by name, at the latest when it is needed") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 300));
        collection.checkpoint();
    }
    int tried = 0;
    for (const auto& entry : fs::recursive_directory_iterator(path / "segments")) {
        if (!entry.is_regular_file()) continue;
        const std::string whole = kith_test::bytes_of(entry.path());
        for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 40) {
            std::string flipped = whole;
            flipped[at] = static_cast<char>(flipped[at] ^ 4);
            kith_test::set_bytes(entry.path(), flipped);
            try {
                const Collection<Articles> collection(path);
                static_cast<void>(collection.nearest<&Article::embedding>(article(7).embedding).run());
                static_cast<void>(collection.snapshot().contains("article-7"));
                static_cast<void>(collection.count("year >= 1990"));
                FAIL_CHECK("byte " << at << " of " << entry.path() << " went unnoticed");
            } catch (const kith::Error& error) {
                CHECK((error.code() == Errc::corrupt || error.code() == Errc::unsupported_version));
                CHECK(std::string(error.what()).find(entry.path().filename().string()) != std::string::npos);
            }
            ++tried;
        }
        kith_test::set_bytes(entry.path(), whole);
    }
    CHECK(tried > 60);
    CHECK(Collection<Articles>(path).size() == 300);
}

TEST_CASE("Leftovers of an interrupted checkpoint are removed, and reported") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 10));
        collection.checkpoint();
        collection.insert(articles(10, 10));
    }
    fs::create_directories(path / "segments" / "0000000001");
    kith_test::set_bytes(path / "segments" / "0000000001" / "embedding.rows", "half");
    fs::create_directories(path / "segments" / "0000000002.tmp");
    Collection<Articles> collection(path);
    CHECK(collection.recovery().removed_files.size() == 2);
    CHECK(collection.size() == 20);
    collection.checkpoint();
    CHECK(collection.size() == 20);
    CHECK(std::distance(fs::directory_iterator(path / "segments"), {}) == 2);
}

TEST_CASE("A disk that is full refuses the batch whole, and the collection goes on when there is room") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    const ::pid_t child = ::fork();
    if (child == 0) {
        int failures = 0;
        try {
            Collection<Articles> collection(path);
            collection.insert(articles(0, 10));
            // A limit on file sizes stands for the full disk: the kernel refuses to let the log grow.
            ::rlimit limit{};
            ::getrlimit(RLIMIT_FSIZE, &limit);
            const ::rlim_t before = limit.rlim_cur;
            limit.rlim_cur = 4096;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            for (const auto& write : std::vector<std::function<void()>>{[&] { collection.insert(articles(100, 200)); },
                                                                        [&] { collection.checkpoint(); }}) {
                try {
                    write();
                    failures += 1;
                } catch (const kith::Error& error) {
                    failures += error.code() == Errc::disk_full ? 0 : 10;
                }
            }
            failures += collection.size() == 10 && !collection.contains("article-100") ? 0 : 100;
            limit.rlim_cur = before;
            ::setrlimit(RLIMIT_FSIZE, &limit);
            collection.insert(articles(200, 10));
            collection.checkpoint();
            collection.insert(articles(300, 10));
        } catch (const std::exception&) {
            failures += 1000;
        }
        ::_exit(failures == 0 ? 0 : failures % 251 + 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    const Collection<Articles> collection(path);
    CHECK(collection.size() == 30);
    expect(collection, 0, 10);
    expect(collection, 200, 10);
    expect(collection, 300, 10);
}

TEST_CASE("Two processes that create the same collection at once leave one") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    std::vector<std::thread> threads;
    std::atomic<int> made{0};
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            Options options;
            options.mode = kith::OpenMode::create;
            try {
                const Collection<Articles> collection(path, options);
                ++made;
            } catch (const kith::Error& error) {
                const bool expected = error.code() == Errc::already_exists || error.code() == Errc::locked;
                if (!expected) made += 100;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(made == 1);
    CHECK(std::distance(fs::directory_iterator(path.parent_path()), {}) == 1);
    CHECK(Collection<Articles>(path).size() == 0);
}

TEST_CASE("A long log is checkpointed in the background") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    Options options;
    options.log_bytes = 4096;
    {
        Collection<Articles> collection(path, options);
        for (int batch = 0; batch < 20; ++batch) {
            collection.insert(articles(batch * 20, 20));
            collection.link();
        }
        for (int wait = 0; wait < 500 && fs::is_empty(path / "segments"); ++wait) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        CHECK_FALSE(fs::is_empty(path / "segments"));
        CHECK(collection.size() == 400);
    }
    const Collection<Articles> collection(path);
    CHECK(collection.size() == 400);
    expect(collection, 0, 400);
}
