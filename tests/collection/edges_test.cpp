// tests/collection/edges_test.cpp — searches at the edges: none wanted, all wanted, none there; and long looks beside
// heavy writes.
#include "article.hpp"

#include "kith/query.hpp"

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using kith::Collection;
using kith::Errc;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::FileFaults;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

namespace fs = std::filesystem;

using Store = std::unique_ptr<Collection<Articles>>;

/// How many records each way of asking finds.
std::vector<std::size_t> counts(const Collection<Articles>& collection, std::size_t limit) {
    const auto query = article(3).embedding;
    std::vector<std::size_t> found{
        collection.nearest<&Article::embedding>(query).limit(limit).run().size(),
        collection.nearest<&Article::embedding>(query).limit(limit).exact().run().size(),
        collection.nearest<&Article::embedding>(query).limit(limit).recall(0.5).run().size(),
        collection.nearest<&Article::embedding>(query).limit(limit).where(kith::field<&Article::year> > 0).run().size(),
    };
    for (const auto& list :
         collection.nearest_many<&Article::embedding>(std::vector{query, query}).limit(limit).run()) {
        found.push_back(list.size());
    }
    return found;
}

void expect_counts(const Collection<Articles>& collection, std::size_t present) {
    CHECK(collection.size() == present);
    for (const std::size_t limit :
         {std::size_t{1}, std::size_t{10}, present + 1, std::size_t{1} << 31, std::size_t{1} << 32, SIZE_MAX}) {
        CAPTURE(limit, present);
        for (const std::size_t found : counts(collection, limit)) CHECK(found == std::min(limit, present));
    }
    CHECK(raised([&] { static_cast<void>(counts(collection, 0)); }).code == Errc::invalid_argument);
    const auto query = article(3).embedding;
    CHECK(collection.nearest<&Article::embedding>(query).where(kith::field<&Article::year> > 9999).run().empty());
    std::size_t walked = 0;
    for (const Article& record : collection.records()) walked += record.id.empty() ? 0U : 1U;
    CHECK(walked == present);
}

}  // namespace

TEST_CASE("Searches of nothing, of all and of more than all return what there is") {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    kith::Options options;
    options.segment_capacity = 60;
    for (const bool durable : {false, true}) {
        const fs::path path = directory / "articles.kith";
        Store store = durable ? std::make_unique<Collection<Articles>>(path, options)
                              : std::make_unique<Collection<Articles>>(kith::in_memory, options);
        expect_counts(*store, 0);
        store->checkpoint();
        expect_counts(*store, 0);
        store->insert(article(0));
        expect_counts(*store, 1);
        store->insert(articles(1, 149));
        expect_counts(*store, 150);
        store->checkpoint();
        expect_counts(*store, 150);
        for (int number = 0; number < 150; number += 2) store->erase("article-" + std::to_string(number));
        expect_counts(*store, 75);
        for (int number = 1; number < 150; number += 2) store->erase("article-" + std::to_string(number));
        expect_counts(*store, 0);
        store->checkpoint();
        expect_counts(*store, 0);
        store->compact();
        expect_counts(*store, 0);
        if (durable) {
            store = nullptr;
            store = std::make_unique<Collection<Articles>>(path, options);
            expect_counts(*store, 0);
        }
        store->insert(articles(0, 5));
        expect_counts(*store, 5);
    }
}

namespace {

/// Bytes on the disk after many rewrites of 300 articles, with a walk and a snapshot held open all the while or not.
std::uint64_t bytes_after_rewrites(bool held, std::uint64_t& bytes_before) {
    const FileFaults quick = FileFaults::no_syncs();
    const TemporaryDirectory directory;
    const fs::path path = directory / "articles.kith";
    constexpr int count = 300, rounds = 40;
    kith::Options options;
    options.segment_capacity = 1000;
    Collection<Articles> collection(path, options);
    collection.insert(articles(0, count));
    collection.checkpoint();
    collection.upsert(articles(0, 10, 0));
    const auto bytes = [&] {
        std::uint64_t total = 0;
        std::error_code gone;
        for (const auto& entry : fs::recursive_directory_iterator(path)) {
            const std::uintmax_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
            if (!gone) total += size;
        }
        return total;
    };
    bytes_before = bytes();
    {
        const auto snapshot = collection.snapshot();
        const auto range = collection.records();
        auto at = range.begin();
        int walked = 0;
        for (int round = 1; round <= rounds; ++round) {
            collection.upsert(articles(0, count, round));
            if (round % 4 == 0) collection.checkpoint();
            for (int step = 0; held && step < count / rounds; ++step, ++at, ++walked) {
                const int number = std::stoi((*at).id.substr(8));
                REQUIRE(*at == article(number));
            }
        }
        collection.compact();
        if (held) {
            for (; at != range.end(); ++at, ++walked) REQUIRE(*at == article(std::stoi((*at).id.substr(8))));
            CHECK(walked == count);
            CHECK(snapshot.size() == static_cast<std::size_t>(count));
            for (int number = 0; number < count; ++number) {
                REQUIRE(snapshot.get("article-" + std::to_string(number)) == article(number));
            }
        }
        const std::uint64_t while_held = bytes();
        if (held) return while_held;
    }
    collection.compact();
    for (int number = 0; number < count; ++number) {
        REQUIRE(collection.get("article-" + std::to_string(number)) == article(number, rounds));
    }
    return bytes();
}

}  // namespace

TEST_CASE("A long walk and a snapshot show their moment beside heavy writes, and files grow by no more than it holds") {
    std::uint64_t before = 0;
    const std::uint64_t free = bytes_after_rewrites(false, before);
    const std::uint64_t held = bytes_after_rewrites(true, before);
    CAPTURE(before, free, held);
    CHECK(held < free + 3 * before);
    CHECK(free < 4 * before);
}
