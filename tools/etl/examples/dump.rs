//! Prints the events of an event trace log: `cargo run --example dump FILE.etl`.

use std::env;
use std::error::Error;
use std::fs;

use etl::{Item, Log, file_time_text, tracelogging};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("give the file to read")?;
    let file = fs::read(path)?;
    let log = Log::read(&file)?;
    println!("{:#?}", log.header);
    for event in &log.events {
        let provider = event
            .provider_name()
            .map_or_else(|| event.provider.to_string(), str::to_owned);
        print!(
            "{} {}.{} {provider} {} ",
            file_time_text(event.time),
            event.process_id,
            event.thread_id,
            event.descriptor.id
        );
        match event.item(Item::SCHEMA) {
            Some(schema) => match tracelogging::decode(schema, event.payload) {
                Ok(decoded) => {
                    print!("{}:", decoded.name);
                    for field in &decoded.fields {
                        print!(" {}={field}", field.name);
                    }
                    println!();
                }
                Err(error) => println!("not decoded: {error}"),
            },
            None => println!("{} bytes", event.payload.len()),
        }
    }
    println!(
        "{} events; skipped: {} records of other kinds, {} buffers",
        log.events.len(),
        log.skipped.records,
        log.skipped.buffers
    );
    Ok(())
}
