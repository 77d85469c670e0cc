// tests/collection/bad_input_test.cpp — input that cannot be right: a sentence that says why, and nothing changed.
#include "article.hpp"

#include "kith/storage/identity.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

using kith::Collection;
using kith::Errc;
using kith::OpenMode;
using kith::Options;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::Raised;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

/// Checks that `act` raises `code` with a text that contains every one of `words`.
void raises(Errc code, const std::vector<std::string>& words, const std::function<void()>& act) {
    const Raised error = raised(act);
    if (!error.code.has_value()) {
        FAIL_CHECK("nothing was raised; expected " << kith::name(code));
        return;
    }
    INFO(error.text);
    CHECK(kith::name(*error.code) == kith::name(code));
    for (const std::string& word : words) {
        INFO(word);
        CHECK(error.says(word));
    }
}

struct Direction {
    std::string id;
    std::array<float, 4> vector{};
};
using Directions =
    kith::Schema<Direction, kith::Key<&Direction::id>, kith::VectorField<&Direction::vector, kith::Cosine>>;

}  // namespace

TEST_CASE("A record that cannot be stored is refused with its place, field and reason, and its whole batch with it") {
    Collection<Articles> collection(kith::in_memory);
    collection.insert(article(0));
    const auto refused = [&](const std::vector<std::string>& words, const std::function<void(Article&)>& spoil) {
        std::vector<Article> batch = articles(1, 5);
        spoil(batch[3]);
        raises(Errc::invalid_argument, words, [&] { collection.insert(batch); });
        raises(Errc::invalid_argument, words, [&] { collection.upsert(batch); });
        CHECK(collection.size() == 1);
    };
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinite = std::numeric_limits<float>::infinity();
    refused({"record 3", "'embedding'", "NaN", "nothing was written"}, [&](Article& bad) { bad.embedding[5] = nan; });
    refused({"record 3", "'embedding'", "infinite"}, [&](Article& bad) { bad.embedding[5] = infinite; });
    refused({"record 3", "'embedding'", "infinite"}, [&](Article& bad) { bad.embedding[0] = -infinite; });
    refused({"record 3", "'embedding'", "1e18"}, [&](Article& bad) { bad.embedding[0] = 1e30F; });
    refused({"record 3", "'id'", "empty"}, [](Article& bad) { bad.id.clear(); });
    refused({"record 3", "'id'", "512 bytes", "511"}, [](Article& bad) { bad.id.assign(512, 'k'); });
    refused({"record 3", "'id'", "UTF-8"}, [](Article& bad) { bad.id = "\xff\xfe"; });
    refused({"record 3", "'title'", "UTF-8"}, [](Article& bad) { bad.title = "half a \xe2\x82"; });
    refused({"record 3", "'tags'", "UTF-8"}, [](Article& bad) { bad.tags = {"fine", "\x80"}; });
    refused({"record 3", "article-2", "nothing was written"}, [](Article& bad) { bad.id = "article-2"; });
}

TEST_CASE("Odd but sound values are stored as they are") {
    const TemporaryDirectory directory;
    std::vector<Article> odd = articles(0, 6);
    odd[0].id = std::string("nul\0inside", 10);
    odd[1].id = "emoji \xf0\x9f\xa6\x89";
    odd[2].id.assign(511, 'k');
    odd[3].embedding.fill(0);
    odd[4].embedding.fill(std::numeric_limits<float>::denorm_min());
    odd[5].title.assign(1 << 20, 'x');
    {
        Collection<Articles> collection(directory / "odd.kith");
        collection.insert(odd);
        collection.checkpoint();
    }
    const Collection<Articles> collection(directory / "odd.kith");
    for (const Article& record : odd) CHECK(collection.get(record.id) == record);
}

TEST_CASE("Cosine refuses what has no direction, in records and in queries") {
    Collection<Directions> collection(kith::in_memory);
    raises(Errc::invalid_argument, {"record 0", "'vector'", "zero"}, [&] { collection.insert(Direction{"a", {}}); });
    raises(Errc::invalid_argument, {"'vector'", "1e-18"},
           [&] { collection.insert(Direction{"a", {1e-30F, 0, 0, 0}}); });
    collection.insert(Direction{"a", {0, 2, 0, 0}});
    const std::array<float, 4> zero{};
    raises(Errc::invalid_argument, {"'vector'", "zero"},
           [&] { (void)collection.nearest<&Direction::vector>(zero).run(); });
    CHECK(collection.size() == 1);
}

TEST_CASE("A query of another dimension or with an element that is not finite is an error") {
    Collection<Articles> collection(kith::in_memory);
    collection.insert(articles(0, 3));
    const std::vector<float> short_query(7, 1.0F);
    raises(Errc::invalid_argument, {"'embedding'", "dimension is 8, got 7"},
           [&] { (void)collection.nearest<&Article::embedding>(short_query).run(); });
    std::vector<float> query(8, 1.0F);
    query[2] = std::numeric_limits<float>::quiet_NaN();
    raises(Errc::invalid_argument, {"'embedding'", "NaN"},
           [&] { (void)collection.nearest<&Article::embedding>(query).run(); });
}

TEST_CASE("Settings that make no sense are refused before anything is made") {
    const TemporaryDirectory directory;
    Options options;
    options.segment_capacity = 0;
    raises(Errc::invalid_argument, {"segment_capacity"},
           [&] { Collection<Articles> collection(directory / "a.kith", options); });
    options = {};
    options.index_threads = 0;
    raises(Errc::invalid_argument, {"index_threads"},
           [&] { Collection<Articles> collection(kith::in_memory, options); });
    options = {};
    for (const auto period : {std::chrono::milliseconds(0), std::chrono::milliseconds::max()}) {
        options.durability = kith::Durability::interval(period);
        raises(Errc::invalid_argument, {"interval", std::to_string(period.count())},
               [&] { Collection<Articles> collection(directory / "a.kith", options); });
    }
    CHECK_FALSE(std::filesystem::exists(directory / "a.kith"));
}

TEST_CASE("A path that holds something else is left alone") {
    const TemporaryDirectory directory;
    std::ofstream(directory / "file") << "text";
    raises(Errc::not_a_collection, {"file"}, [&] { Collection<Articles> collection(directory / "file"); });
    std::filesystem::create_directories(directory / "photos");
    std::ofstream(directory / "photos" / "one.jpg") << "text";
    raises(Errc::not_a_collection, {"photos"}, [&] { Collection<Articles> collection(directory / "photos"); });
    CHECK(std::filesystem::file_size(directory / "photos" / "one.jpg") == 4);
    CHECK(std::distance(std::filesystem::directory_iterator(directory / "photos"), {}) == 1);
}

TEST_CASE("A path may be relative, end in a slash or be the working directory, which may then change") {
    const auto before = std::filesystem::current_path();
    for (const char* path : {"new.kith", "slash.kith/", "."}) {
        const TemporaryDirectory directory;
        std::filesystem::current_path(directory.path());
        {
            Collection<Articles> collection(path);
            std::filesystem::current_path(before);
            collection.insert(articles(0, 5));
            collection.checkpoint();
            collection.insert(articles(5, 5));
        }
        CHECK(Collection<Articles>(directory / path).size() == 10);
    }
    raises(Errc::invalid_argument, {"path", "empty"}, [] { Collection<Articles> collection(""); });
}

TEST_CASE("A collection without one of its folders is an error that names it") {
    const TemporaryDirectory directory;
    for (const char* folder : {"segments", "log", "forward"}) {
        const auto path = directory / (std::string(folder) + ".kith");
        Collection<Articles>(path).insert(articles(0, 3));
        std::filesystem::remove_all(path / folder);
        try {
            const Collection<Articles> collection(path);
            FAIL_CHECK("a missing folder went unnoticed: " << folder);
        } catch (const kith::Error& error) {
            CHECK(std::string(error.what()).find(folder) != std::string::npos);
        }
    }
}

TEST_CASE("Open modes say what is missing or in the way") {
    const TemporaryDirectory directory;
    const auto open = [&](OpenMode mode) {
        Options options;
        options.mode = mode;
        return Collection<Articles>(directory / "articles.kith", options);
    };
    raises(Errc::not_found, {"articles.kith"}, [&] { (void)open(OpenMode::open); });
    raises(Errc::not_found, {"articles.kith"}, [&] { (void)open(OpenMode::read_only); });
    CHECK_FALSE(std::filesystem::exists(directory / "articles.kith"));
    open(OpenMode::create).insert(article(1));
    raises(Errc::already_exists, {"articles.kith"}, [&] { (void)open(OpenMode::create); });
    CHECK(open(OpenMode::open).size() == 1);
    CHECK(open(OpenMode::create_or_open).size() == 1);
    raises(Errc::not_found, {"no-such"}, [&] { Collection<Articles> collection(directory / "no-such" / "a.kith"); });
}

TEST_CASE("A read-only collection answers and refuses every write") {
    const TemporaryDirectory directory;
    {
        Collection<Articles> collection(directory / "articles.kith");
        collection.insert(articles(0, 10));
        collection.checkpoint();
        collection.insert(articles(10, 10));
    }
    Options options;
    options.mode = OpenMode::read_only;
    Collection<Articles> first(directory / "articles.kith", options);
    Collection<Articles> second(directory / "articles.kith", options);
    CHECK(first.size() == 20);
    CHECK(second.get("article-15") == article(15));
    CHECK(first.nearest<&Article::embedding>(article(15).embedding).limit(1).run().at(0).record == article(15));
    raises(Errc::read_only, {"articles.kith", "read-only"}, [&] { first.insert(article(50)); });
    raises(Errc::read_only, {"articles.kith", "read-only"}, [&] { first.upsert(article(1)); });
    raises(Errc::read_only, {"articles.kith", "read-only"},
           [&] { first.update("article-1", kith::set<&Article::year>(1)); });
    raises(Errc::read_only, {"articles.kith", "read-only"}, [&] { first.erase("article-1"); });
    raises(Errc::read_only, {"articles.kith", "read-only"}, [&] { first.checkpoint(); });
    CHECK(first.size() == 20);
    Collection<Articles> writer(directory / "articles.kith");
    writer.insert(article(50));
    CHECK(first.size() == 20);
    CHECK(first.refresh());
    CHECK(first.get("article-50") == article(50));
    CHECK_FALSE(second.contains("article-50"));
}

TEST_CASE("A second writer is told who holds the collection") {
    const TemporaryDirectory directory;
    const Collection<Articles> holder(directory / "articles.kith");
    raises(Errc::locked, {"articles.kith", std::to_string(::getpid())},
           [&] { Collection<Articles> second(directory / "articles.kith"); });
    std::filesystem::create_directory_symlink(directory / "articles.kith", directory / "link.kith");
    raises(Errc::locked, {std::to_string(::getpid())}, [&] { Collection<Articles> second(directory / "link.kith"); });
}

namespace {

struct OtherArticle {
    std::string id;
    std::string title;
    std::int64_t year = 0;
    std::vector<std::string> tags;
    std::array<float, 8> embedding{};
    bool draft = false;
};
using OtherArticles =
    kith::Schema<OtherArticle, kith::Key<&OtherArticle::id>, kith::VectorField<&OtherArticle::embedding, kith::L2>>;

}  // namespace

TEST_CASE("A collection of another schema is not touched, and the message prints the difference") {
    const TemporaryDirectory directory;
    {
        Collection<Articles>(directory / "articles.kith").insert(articles(0, 5));
    }
    raises(Errc::schema_mismatch, {"articles.kith", "year", "int32", "int64", "price", "draft"},
           [&] { Collection<OtherArticles> other(directory / "articles.kith"); });
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 5);
}

TEST_CASE("A closed collection says so, and closing twice is fine") {
    const TemporaryDirectory directory;
    Collection<Articles> collection(directory / "articles.kith");
    collection.insert(articles(0, 3));
    const auto range = collection.records();
    auto query = collection.nearest<&Article::embedding>(article(1).embedding);
    collection.close();
    collection.close();
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { collection.insert(article(9)); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { collection.erase("article-1"); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)collection.get("article-1"); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)collection.contains("article-1"); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)collection.size(); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)query.run(); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)range.begin(); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { (void)collection.records(); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { collection.checkpoint(); });
    raises(Errc::closed, {"articles.kith", "closed"}, [&] { collection.link(); });
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 3);
}

TEST_CASE("A forked child may not use its parent's collection, and leaves it whole") {
    const TemporaryDirectory directory;
    {
        Collection<Articles> collection(directory / "articles.kith");
        collection.insert(articles(0, 3));
        const ::pid_t child = ::fork();
        if (child == 0) {
            int refused = 0;
            const std::vector<std::function<void()>> uses{
                [&] { collection.insert(article(9)); },
                [&] { (void)collection.get("article-1"); },
                [&] { (void)collection.nearest<&Article::embedding>(article(1).embedding).run(); },
                [&] { collection.checkpoint(); },
                [&] { collection.close(); },
            };
            for (const auto& use : uses) {
                try {
                    use();
                } catch (const kith::Error& error) {
                    refused += error.code() == Errc::forked ? 1 : 0;
                }
            }
            {
                const Collection<Articles> destroyed = std::move(collection);
            }
            ::_exit(refused == static_cast<int>(uses.size()) ? 0 : 1);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 0);
        collection.insert(articles(3, 3));
        raises(Errc::locked, {}, [&] { Collection<Articles> second(directory / "articles.kith"); });
    }
    CHECK(Collection<Articles>(directory / "articles.kith").size() == 6);
}

TEST_CASE("Files that are not as they were left are named, and nothing is lost by opening") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles> collection(path);
        collection.insert(articles(0, 20));
        collection.checkpoint();
        collection.insert(articles(20, 5));
    }
    const auto data = path / "forward" / "data.mdb";
    const auto saved = directory / "saved.mdb";
    std::filesystem::copy_file(data, saved);
    const auto open = [&] { Collection<Articles> collection(path); };

    std::filesystem::resize_file(data, 0);
    raises(Errc::corrupt, {"data.mdb"}, open);
    CHECK(std::filesystem::file_size(data) == 0);
    std::filesystem::copy_file(saved, data, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(data, std::filesystem::file_size(data) / 2);
    raises(Errc::corrupt, {"data.mdb"}, open);
    std::filesystem::remove(data);
    raises(Errc::corrupt, {"data.mdb"}, open);
    std::filesystem::copy_file(saved, data);
    CHECK(Collection<Articles>(path).size() == 25);

    std::fstream identity(path / "IDENTITY", std::ios::in | std::ios::out | std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(identity)), {});
    identity.close();
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        std::string flipped = bytes;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
        std::ofstream(path / "IDENTITY", std::ios::binary) << flipped;
        try {
            open();
            FAIL_CHECK("a flipped byte " << at << " of IDENTITY went unnoticed");
        } catch (const kith::Error& error) {
            CHECK(std::string(error.what()).find("IDENTITY") != std::string::npos);
        }
    }
    std::ofstream(path / "IDENTITY", std::ios::binary) << bytes;
    CHECK(Collection<Articles>(path).size() == 25);
}

TEST_CASE("A collection of a newer format is refused with both numbers, and not touched") {
    const TemporaryDirectory directory;
    const auto path = directory / "articles.kith";
    {
        Collection<Articles>(path).insert(articles(0, 3));
    }
    kith::detail::Identity identity = kith::detail::read_identity(path);
    identity.format = kith::detail::format_version + 6;
    kith::detail::write_identity(path, identity);
    raises(Errc::unsupported_version, {"IDENTITY", "7", "1"}, [&] { Collection<Articles> newer(path); });
    identity.format = kith::detail::format_version;
    kith::detail::write_identity(path, identity);
    CHECK(Collection<Articles>(path).size() == 3);
}

TEST_CASE("A directory that cannot be written says which") {
    if (::geteuid() == 0) {
        // Root passes over permissions, so a child without them tries.
        const TemporaryDirectory directory;
        const auto path = directory / "closed";
        std::filesystem::create_directories(path);
        ::chmod(path.c_str(), 0555);
        const ::pid_t child = ::fork();
        if (child == 0) {
            if (::setuid(65534) != 0) ::_exit(2);
            try {
                Collection<Articles> collection(path / "a.kith");
            } catch (const kith::Error& error) {
                const bool right =
                    error.code() == Errc::io && std::string(error.what()).find("closed") != std::string::npos;
                ::_exit(right ? 0 : 1);
            }
            ::_exit(3);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WEXITSTATUS(status) == 0);
        return;
    }
    const TemporaryDirectory directory;
    const auto path = directory / "closed";
    std::filesystem::create_directories(path);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
    raises(Errc::io, {"closed"}, [&] { Collection<Articles> collection(path / "a.kith"); });
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}
