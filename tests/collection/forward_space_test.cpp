// tests/collection/forward_space_test.cpp — rows that are no more leave the file of rows: their pages are used again, and
// compact() gives them back.
#include "article.hpp"
#include "settings.hpp"

#include "kith/collection/verify.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"

#include <algorithm>
#include <string>

using kith::Collection;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::FileFaults;
using kith_test::on_call;
using kith_test::TemporaryDirectory;

namespace {

std::vector<Article> long_articles(int first, int count, int version) {
    std::vector<Article> made = kith_test::articles(first, count, version);
    for (Article& one : made) one.title.append(900, '.');
    return made;
}

}  // namespace

TEST_CASE("Replacing every record ten times does not make the file of rows longer than three of it") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    constexpr int count = 2500;
    Collection<Articles> collection(directory / "articles.kith", on_call());
    collection.insert(long_articles(0, count, 0));
    collection.compact();
    const std::uint64_t once = collection.stats().forward_bytes;
    for (int version = 1; version <= 10; ++version) {
        collection.upsert(long_articles(0, count, version));
        collection.checkpoint();
        CHECK(collection.stats().forward_bytes <= 3 * once);
        collection.compact();
        CHECK(collection.stats().forward_bytes <= once + once / 4);
    }
    CHECK(collection.size() == count);
    CHECK(collection.get("article-7") == long_articles(7, 1, 10)[0]);
}

TEST_CASE("After most records were erased, compact() and a backup leave files for the rest") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path, on_call());
        for (int first = 0; first < 6000; first += 1000) collection.insert(long_articles(first, 1000, 0));
        collection.checkpoint();
        Options reading = on_call();
        reading.mode = kith::OpenMode::read_only;
        Collection<Articles> reader(path, reading);
        const std::uint64_t before = collection.stats().forward_bytes;
        std::vector<std::string> keys;
        for (int number = 100; number < 6000; ++number) keys.push_back("article-" + std::to_string(number));
        collection.erase(keys);
        collection.checkpoint();
        const auto snapshot = reader.snapshot();
        collection.compact();
        CHECK(snapshot.get("article-3000") == long_articles(3000, 1, 0)[0]);
        reader.refresh();
        CHECK(reader.size() == 100);
        CHECK(reader.get("article-42") == long_articles(42, 1, 0)[0]);
        CHECK(collection.get("article-42") == long_articles(42, 1, 0)[0]);

        collection.backup(directory / "backup.kith");
        CHECK(std::filesystem::file_size(directory / "backup.kith" / "forward" / "data.mdb") <= before);
    }
    Collection<Articles> collection(path, on_call());
    collection.compact();
    CHECK(collection.stats().forward_bytes < 600'000);
    collection.upsert(long_articles(0, 10, 1));
    collection.backup(directory / "small.kith");
    collection.close();
    for (const auto& place : {path, directory / "small.kith"}) {
        CHECK(std::filesystem::file_size(place / "forward" / "data.mdb") < 600'000);
        CHECK(kith::verify(place).clean());
        const Collection<Articles> again(place);
        CHECK(again.size() == 100);
        CHECK(again.get("article-3") == long_articles(3, 1, 1)[0]);
        CHECK(again.get("article-42") == long_articles(42, 1, 0)[0]);
    }
}
