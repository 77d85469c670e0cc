// tests/collection/record_query_test.cpp — records found by condition: counted, in order, page by page, erased, changed.
#include "article.hpp"

#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

using kith::Collection;
using kith::Condition;
using kith::Errc;
using kith::field;
using kith::Order;
using kith_test::article;
using kith_test::Article;
using kith_test::Articles;
using kith_test::articles;
using kith_test::raised;
using kith_test::TemporaryDirectory;

namespace {

/// Articles in several segments, sealed and not, some replaced and some erased; `model` is what is left.
struct Library {
    TemporaryDirectory directory;
    Collection<Articles> collection{directory / "articles.kith", [] {
                                        kith::Options options;
                                        options.segment_capacity = 100;
                                        options.maintenance = kith::Maintenance::on_call;
                                        return options;
                                    }()};
    std::map<std::string, Article> model;

    Library() {
        put(articles(0, 150));
        collection.checkpoint();
        put(articles(150, 150));
        put(articles(20, 40, 1));
        for (int number = 0; number < 300; number += 7) {
            collection.erase(article(number).id);
            model.erase(article(number).id);
        }
    }

    void put(const std::vector<Article>& written) {
        collection.upsert(written);
        for (const Article& one : written) model[one.id] = one;
    }

    /// What a query by this condition finds, in the order of keys.
    [[nodiscard]] std::vector<Article> naive(const Condition<Article>& condition) const {
        std::vector<Article> found;
        for (const auto& [id, one] : model) {
            if (kith::evaluate(condition, one)) found.push_back(one);
        }
        return found;
    }
};

/// In the order of a field and then of keys; those without a value last.
template <auto Member>
void put_in_order(std::vector<Article>& records, Order order) {
    std::stable_sort(records.begin(), records.end(), [&](const Article& a, const Article& b) {
        if constexpr (std::is_same_v<decltype(a.*Member), const std::optional<double>&>) {
            if (!(a.*Member).has_value() || !(b.*Member).has_value())
                return (a.*Member).has_value() > (b.*Member).has_value();
        }
        return order == Order::ascending ? a.*Member < b.*Member : b.*Member < a.*Member;
    });
}

}  // namespace

TEST_CASE("A condition finds the records that satisfy it, in the order of their keys") {
    const Library library;
    const auto condition = field<&Article::year> >= 2000 && field<&Article::year> < 2010;
    const std::vector<Article> expected = library.naive(condition);
    REQUIRE(expected.size() > 30);
    CHECK(library.collection.where(condition).run() == expected);
    CHECK(library.collection.where("year >= ? AND year < 2010", 2000).run() == expected);
    CHECK(library.collection.count(condition) == expected.size());
    CHECK(library.collection.count("year >= 2000 AND year < 2010") == expected.size());
    CHECK(library.collection.where(field<&Article::year> >= 2000).where("year < 2010").run() == expected);
    CHECK(library.collection.where("FALSE").run().empty());
    CHECK(library.collection.where("TRUE").run() == library.naive({}));
    CHECK(library.collection.where("TRUE").count() == library.collection.size());
}

TEST_CASE("Records come in the order of a field, equal ones by key, those without a value last") {
    const Library library;
    for (const Order order : {Order::ascending, Order::descending}) {
        std::vector<Article> expected = library.naive({});
        put_in_order<&Article::year>(expected, order);
        CHECK(library.collection.where("TRUE").order_by<&Article::year>(order).run() == expected);
        expected = library.naive({});
        put_in_order<&Article::price>(expected, order);
        REQUIRE_FALSE(expected.back().price.has_value());
        CHECK(library.collection.where("TRUE").order_by<&Article::price>(order).run() == expected);
        expected = library.naive({});
        put_in_order<&Article::title>(expected, order);
        CHECK(library.collection.where("TRUE").order_by<&Article::title>(order).run() == expected);
    }
}

TEST_CASE("Limit and offset cut the same order") {
    const Library library;
    std::vector<Article> expected = library.naive(field<&Article::year> < 2000);
    put_in_order<&Article::year>(expected, Order::descending);
    for (const std::size_t offset :
         {std::size_t{0}, std::size_t{1}, std::size_t{17}, expected.size(), expected.size() + 5}) {
        for (const std::size_t limit : {std::size_t{1}, std::size_t{10}, expected.size()}) {
            const std::size_t begin = std::min(offset, expected.size());
            const std::size_t end = std::min(begin + limit, expected.size());
            auto query = library.collection.where("year < 2000");
            query.order_by<&Article::year>(Order::descending).offset(offset).limit(limit);
            CHECK(query.run() == std::vector<Article>(expected.begin() + static_cast<std::ptrdiff_t>(begin),
                                                      expected.begin() + static_cast<std::ptrdiff_t>(end)));
        }
    }
    CHECK(raised([&] { static_cast<void>(library.collection.where("TRUE").limit(0).run()); }).code ==
          Errc::invalid_argument);
}

TEST_CASE("Pages one after another hold every record once, whatever is written, sealed and merged between them") {
    Library library;
    std::vector<Article> expected = library.naive({});
    put_in_order<&Article::price>(expected, Order::ascending);
    std::vector<Article> found;
    std::optional<kith::Cursor> next;
    int pages = 0;
    do {
        auto query = library.collection.where("year < 3000");
        query.order_by<&Article::price>().limit(13);
        if (next.has_value()) query.after(kith::Cursor{next->text});
        kith::Page<Article> page = query.page();
        found.insert(found.end(), page.records.begin(), page.records.end());
        next = page.next;
        if (++pages == 3) library.collection.compact();
        if (pages == 5) library.collection.insert(article(5000));  // its price lies behind all others
        if (pages == 6) library.collection.erase(article(5000).id);
    } while (next.has_value());
    CHECK(pages == static_cast<int>((expected.size() + 12) / 13));
    CHECK(found == expected);
}

TEST_CASE("The last page says that it is the last, also when it is full") {
    const Library library;
    const std::size_t all = library.collection.size();
    CHECK_FALSE(library.collection.where("TRUE").limit(all).page().next.has_value());
    CHECK(library.collection.where("TRUE").limit(all - 1).page().next.has_value());
    CHECK_FALSE(library.collection.where("FALSE").limit(5).page().next.has_value());
}

TEST_CASE("A cursor of another order, or text that is none, is refused") {
    const Library library;
    const auto by_year = library.collection.where("TRUE").order_by<&Article::year>().limit(5).page().next;
    REQUIRE(by_year.has_value());
    const auto ask = [&](const kith::Cursor& cursor) {
        return raised([&] { static_cast<void>(library.collection.where("TRUE").after(cursor).run()); });
    };
    CHECK(ask(*by_year).code == Errc::invalid_argument);
    CHECK(ask(*by_year).says("another order"));
    for (const std::string text : {"", "0", "zz", "01", "0100ff0000"}) {
        INFO(text);
        CHECK(ask({text}).code == Errc::invalid_argument);
    }
    std::string cut = by_year->text;
    while (cut.size() > 2) {
        cut.resize(cut.size() - 2);
        CHECK(raised([&] {
                  static_cast<void>(library.collection.where("TRUE").order_by<&Article::year>().after({cut}).run());
              }).code == Errc::invalid_argument);
    }
}

TEST_CASE("Values are counted: each once for a record, lists by element, none for what has no value") {
    const Library library;
    std::map<std::int32_t, std::size_t> years;
    std::map<std::string, std::size_t> tags;
    std::size_t prices = 0;
    for (const auto& [id, one] : library.model) {
        ++years[one.year];
        for (const std::string& tag : std::set<std::string>(one.tags.begin(), one.tags.end())) ++tags[tag];
        prices += one.price.has_value() ? std::size_t{1} : 0;
    }
    const auto all = library.collection.where("TRUE");
    std::size_t at = 0;
    const auto distinct = all.distinct<&Article::year>();
    REQUIRE(distinct.size() == years.size());
    for (const auto& [year, count] : years) {
        CHECK(distinct[at].value == year);
        CHECK(distinct[at++].count == count);
    }
    const auto facets = all.facets<&Article::tags>(2);
    REQUIRE(facets.size() == 2);
    CHECK(facets[0] == kith::Facet<std::string>{"tag0", tags["tag0"]});
    CHECK(facets[1] == kith::Facet<std::string>{"tag1", tags["tag1"]});
    std::size_t counted = 0;
    for (const auto& facet : all.distinct<&Article::price>()) counted += facet.count;
    CHECK(counted == prices);
}

TEST_CASE("A snapshot counts and finds what it shows") {
    Library library;
    const auto snapshot = library.collection.snapshot();
    const std::vector<Article> expected = library.naive(field<&Article::year> > 2010);
    CHECK(library.collection.erase_where("year > 2010") == expected.size());
    CHECK(snapshot.count("year > 2010") == expected.size());
    CHECK(snapshot.where("year > 2010").run() == expected);
    CHECK(library.collection.count("year > 2010") == 0);
}

TEST_CASE("Records are erased by condition, all of them and no other, for good") {
    Library library;
    const auto condition = field<&Article::price>.is_null() && field<&Article::year> < 1990;
    const std::size_t before = library.collection.size();
    const std::vector<Article> gone = library.naive(condition);
    REQUIRE_FALSE(gone.empty());
    CHECK(library.collection.erase_where(condition) == gone.size());
    CHECK(library.collection.erase_where(condition) == 0);
    for (const Article& one : gone) library.model.erase(one.id);
    CHECK(library.collection.size() == before - gone.size());
    CHECK(library.collection.where("TRUE").run() == library.naive({}));
    library.collection.close();
    Collection<Articles> again(library.directory / "articles.kith");
    CHECK(again.where("TRUE").run() == library.naive({}));
}

TEST_CASE("A condition that holds for every record erases and changes nothing; erase_all and update_all do") {
    Library library;
    const std::size_t all = library.collection.size();
    for (const Condition<Article>& empty : {Condition<Article>(), kith::parse_condition<Article>("TRUE")}) {
        const auto refused = raised([&] { library.collection.erase_where(empty); });
        CHECK(refused.code == Errc::invalid_argument);
        CHECK(refused.says("erase_all()"));
        CHECK(
            raised([&] { library.collection.update_where(empty, kith::set<&Article::year>(1)); }).says("update_all()"));
    }
    CHECK(library.collection.size() == all);
    CHECK(library.collection.update_all(kith::set<&Article::year>(1)) == all);
    CHECK(library.collection.count("year = 1") == all);
    CHECK(library.collection.erase_all() == all);
    CHECK(library.collection.size() == 0);
}

TEST_CASE("Records are changed by condition, all or none") {
    Library library;
    const auto condition = field<&Article::year> < 1990;
    std::vector<Article> expected = library.naive(condition);
    REQUIRE(expected.size() > 20);
    CHECK(raised([&] {
              library.collection.update_where(condition, [](Article& one) { one.id = "article-1"; });
          }).code == Errc::invalid_argument);
    int left = 20;
    CHECK_THROWS_AS(library.collection.update_where(condition,
                                                    [&](Article& one) {
                                                        one.year = 1;
                                                        if (--left == 0) throw std::runtime_error("enough");
                                                    }),
                    std::runtime_error);
    CHECK(library.collection.where(condition).run() == expected);
    const auto older = [](Article& one) { one.year -= 100; };
    CHECK(library.collection.update_where(condition, older, kith::set<&Article::price>(2.5)) == expected.size());
    for (Article& one : expected) {
        one.year -= 100;
        one.price = 2.5;
    }
    CHECK(library.collection.where("year < 1950").run() == expected);
}
